"""Every setting, in one frozen dataclass, read once from MMDEMO_* variables and flags."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from platformdirs import user_data_path

from mmdemo.errors import UserError

_PACKAGE = Path(__file__).resolve().parent
_INSTALLED = _PACKAGE / "assets"  # where a wheel has them; in a clone they lie beside the package
ASSETS = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent / "assets"


@dataclass(frozen=True)
class Settings:
    """Where mmdemo keeps things and how it runs. Every field is also a variable: MMDEMO_ and its name."""

    workspace: Path  # the folder of media, vectors, weights and (by default) the database
    database_url: str = ""  # an SQLAlchemy URL; empty: SQLite in the workspace
    model: str = "efficientnet-lite0-minilm"  # the preset that is the base version of image-text
    speech_model: str = "whisper-tiny-en-minilm"  # the preset that is the base version of speech-text
    video_model: str = "efficientnet-lite0-minilm-video"  # the preset that is the base version of video-text
    captioner: str = ""  # a captioner of transformers, by Hub id or folder; empty: captions are proposed
    device: str = "auto"  # auto, cpu, cuda, cuda:1, mps
    model_memory_mb: int = 0  # of all models that are loaded; 0: half of the device's
    threads: int = 0  # threads of PyTorch on a CPU; 0: its own choice
    slice_s: float = 0.0  # seconds of training at a stretch, for hosts that lend a GPU for so long; 0: no end
    samples: bool = True  # a new workspace starts with the sample collection
    passphrase: str = ""  # asked for before anyone may label, import or train; empty: nobody is asked
    share: bool = False  # a public link through Gradio
    server_name: str = ""  # empty: GRADIO_SERVER_NAME, else 127.0.0.1
    server_port: int = 0  # 0: GRADIO_SERVER_PORT, else the first free port from 7860
    max_upload_mb: int = 200  # one uploaded file
    max_megapixels: int = 100  # a larger picture is refused before it is decoded
    held_out_share: float = 0.2  # the share of items that is kept for measuring

    @property
    def url(self) -> str:
        """The database's SQLAlchemy URL."""
        return self.database_url or f"sqlite:///{self.workspace / 'mmdemo.sqlite3'}"

    @property
    def on_space(self) -> bool:
        """Whether this runs on Hugging Face Spaces."""
        return bool(os.environ.get("SPACE_ID"))

    @property
    def one_of_several(self) -> bool:
        """Whether `accelerate launch` started this process as one of several that train together."""
        return int(os.environ.get("WORLD_SIZE", "1")) > 1

    @property
    def local(self) -> bool:
        """Whether only the person at this machine can reach the page: then paths of it may be named."""
        return self.server_name in {"127.0.0.1", "localhost", "::1", ""} and not (self.share or self.on_space)

    def as_json(self) -> dict[str, Any]:
        """The settings as `mmdemo settings` prints them; the pass phrase is not shown."""
        shown = asdict(self) | {"workspace": str(self.workspace), "database_url": self.url}
        return shown | {"passphrase": "set" if self.passphrase else ""}


def default_workspace(environment: Mapping[str, str]) -> Path:
    """The user's data folder; on a Space its mounted disk when there is one."""
    if environment.get("SPACE_ID") and Path("/data").is_dir() and os.access("/data", os.W_OK):
        return Path("/data/mmdemo")
    return user_data_path("mmdemo", appauthor=False)


def load_settings(environment: Mapping[str, str] | None = None, **flags: Any) -> Settings:
    """Settings from `environment` (default: the process's), overridden by the flags that are not None.

    Raises:
        UserError: a variable that is not of its setting's type.
    """
    environment = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    for field in fields(Settings):
        name = f"MMDEMO_{field.name.upper()}"
        raw = flags.get(field.name)
        if raw is None:
            raw = environment.get(name)
        if raw is None or raw == "":
            continue
        values[field.name] = _typed(name, str(field.type), raw)
    values.setdefault("workspace", default_workspace(environment))
    values["workspace"] = Path(values["workspace"]).expanduser().absolute()
    if not values.get("server_name"):
        values["server_name"] = environment.get("GRADIO_SERVER_NAME", "127.0.0.1")
    if not values.get("server_port"):
        values["server_port"] = _typed("GRADIO_SERVER_PORT", "int", environment.get("GRADIO_SERVER_PORT", 0))
    return Settings(**values)


def _typed(name: str, kind: str, raw: Any) -> Any:
    try:
        if kind == "bool":
            return raw if isinstance(raw, bool) else str(raw).lower() in {"1", "true", "yes", "on"}
        return {"Path": Path, "int": int, "float": float}.get(kind, str)(raw)
    except ValueError as e:
        raise UserError(f"{name} is {raw!r}, which is not a number.", f"Set {name} to a number.") from e
