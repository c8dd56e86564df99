"""Every setting, in one frozen dataclass, read once from MMDEMO_* variables and flags."""

from __future__ import annotations

import ipaddress
import logging
import math
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from platformdirs import user_data_path

from mmdemo.errors import UserError

log = logging.getLogger(__name__)
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_PACKAGE = Path(__file__).resolve().parent
_INSTALLED = _PACKAGE / "assets"  # where a wheel has them; in a clone they lie beside the package
ASSETS = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent / "assets"


DATABASE = "mmdemo.sqlite3"  # in the workspace, where no other is named
AUTO = "auto"  # of a base version: the best that is on this machine
MAX_FILE_MB = 20_000  # a whole day of video at a usual rate; more is a mistake


@dataclass(frozen=True)
class Range:
    """What numbers a setting takes."""

    least: float
    most: float = math.inf
    instead: str = ""  # what else there is to do, as a part of a sentence

    def __str__(self) -> str:
        words = (
            f"from {self.least:g} to {self.most:g}" if self.most < math.inf else f"of at least {self.least:g}"
        )
        return f"a number {words}{self.instead}"


@dataclass(frozen=True)
class HubSignIn:
    """What a Space is told of signing in with Hugging Face."""

    address: str  # of Hugging Face
    client: str
    secret: str
    scopes: str
    owner: str  # of the Space
    host: str  # the name under which the Space is served


@dataclass(frozen=True)
class Settings:
    """Where mmdemo keeps things and how it runs. Every field is also a variable: MMDEMO_ and its name."""

    workspace: Path  # the folder of media, vectors, weights and (by default) the database
    database_url: str = ""  # an SQLAlchemy URL; empty: SQLite in the workspace
    # The presets that are the base versions of image-text, speech-text and video-text. auto: a new workspace
    # begins with the best one on this machine, and keeps it.
    model: str = AUTO
    speech_model: str = AUTO
    video_model: str = AUTO
    captioner: str = ""  # a captioner of transformers, by Hub id or folder; empty: captions are proposed
    device: str = "auto"  # auto, cpu, cuda, cuda:1, mps
    model_memory_mb: int = 0  # of all models that are loaded; 0: half of the device's
    threads: int = 0  # threads of PyTorch on a CPU; 0: its own choice
    slice_s: float = 0.0  # seconds of training at a stretch, for hosts that lend a GPU for so long; 0: no end
    samples: bool = True  # a new workspace starts with the sample collection
    passphrase: str = ""  # the owner's key; with one everybody else is a viewer, at this machine too
    share: bool = False  # a public link through Gradio
    server_name: str = ""  # empty: GRADIO_SERVER_NAME, else 127.0.0.1
    proxies: str = ""  # addresses and networks of proxies that are believed whom they ask for
    hosts: str = ""  # further names that the page is served under, such as a domain of one's own
    server_port: int = 0  # 0: GRADIO_SERVER_PORT, else the first free port from 7860
    max_upload_mb: int = 200  # one uploaded file
    max_megapixels: int = 100  # a larger picture is refused before it is decoded
    max_hours: float = 24.0  # a longer recording or video is refused
    visitor_megapixels: int = 25  # the same limits of what a visitor brings
    visitor_hours: float = 1.0
    visitor_mb: int = 400  # of all that one visitor has brought within the last hour
    visitors_mb: int = 4000  # of all that visitors have
    annotator_mb: int = 2000  # of all that one annotator has brought within the last day
    trainer_mb: int = 20_000  # and one trainer, beside what they have imported
    held_out_share: float = 0.25  # the share of items that is kept for measuring
    answers: int = 1  # people whose answer each pair of the queue waits for
    max_file_mb: int = MAX_FILE_MB  # one file named by its path, which is never in memory whole

    @property
    def url(self) -> str:
        """The database's SQLAlchemy URL."""
        return self.database_url or f"sqlite:///{self.workspace / DATABASE}"

    @property
    def on_space(self) -> bool:
        """Whether this runs on Hugging Face Spaces."""
        return bool(os.environ.get("SPACE_ID"))

    @property
    def space_host(self) -> str:
        """The name under which a Space is served; empty: this is none."""
        return os.environ.get("SPACE_HOST", "").split(",")[0] if self.on_space else ""

    @property
    def hub_sign_in(self) -> HubSignIn | None:
        """How people sign in with Hugging Face; None: this is no Space that offers it."""
        told = os.environ
        if not (self.space_host and told.get("OAUTH_CLIENT_ID")):
            return None
        return HubSignIn(
            told.get("OPENID_PROVIDER_URL", "https://huggingface.co").rstrip("/"),
            told["OAUTH_CLIENT_ID"],
            told.get("OAUTH_CLIENT_SECRET", ""),
            told.get("OAUTH_SCOPES", "openid profile"),
            told.get("SPACE_AUTHOR_NAME", ""),
            self.space_host,
        )

    @property
    def one_of_several(self) -> bool:
        """Whether `accelerate launch` started this process as one of several that train together."""
        return _number("WORLD_SIZE", "int", os.environ.get("WORLD_SIZE", "1"), Range(1)) > 1

    @property
    def local(self) -> bool:
        """Whether only the person at this machine can reach the page: then paths of it may be named."""
        here = self.server_name in {"127.0.0.1", "localhost", "::1", ""}
        return here and not (self.share or self.on_space or self.hosts or self.proxies)

    @property
    def trusted_proxies(self) -> list[Network]:
        """The networks of the proxies that are believed.

        Raises:
            UserError: one is no address or network.
        """
        told = re.split(r"[,\s]+", self.proxies.strip())
        return [_network(one) for one in told if one]

    def as_json(self) -> dict[str, Any]:
        """The settings as `mmdemo settings` prints them; the pass phrase is not shown."""
        shown = asdict(self) | {"workspace": str(self.workspace), "database_url": self.url}
        return shown | {"passphrase": "set" if self.passphrase else ""}


RANGES = {  # of the fields that are numbers
    "model_memory_mb": Range(0),
    "threads": Range(0, 1024),
    "slice_s": Range(0),
    "server_port": Range(0, 65535),
    "max_upload_mb": Range(1),
    "max_megapixels": Range(1),
    "max_hours": Range(0.01, 24),
    "visitor_megapixels": Range(1),
    "visitor_hours": Range(0.01, 24),
    "visitor_mb": Range(1),
    "visitors_mb": Range(1),
    "annotator_mb": Range(1),
    "trainer_mb": Range(1),
    "held_out_share": Range(0, 0.9),
    "answers": Range(1, 100),
    "max_file_mb": Range(1),
}
PORT = Range(1, 65535, ", or leave it out for the first free one from 7860")
GRADIO = {  # whole numbers that Gradio reads when it is imported, and fails at
    "GRADIO_SERVER_PORT": PORT,
    "GRADIO_NUM_PORTS": Range(1, 65535),
    "GRADIO_NODE_SERVER_PORT": Range(1, 65535),
    "GRADIO_NODE_NUM_PORTS": Range(1, 65535),
    "GRADIO_NUM_WORKERS": Range(1, 1024),
    "GRADIO_DEBUG": Range(0, 1),
    "GRADIO_ANALYTICS_MAX_EVENTS": Range(1),
    "GRADIO_ANALYTICS_CACHE_FREQUENCY": Range(1),
}
OF_UVICORN = "FORWARDED_ALLOW_IPS"  # whom uvicorn believes for whom they ask
YES, NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


def default_workspace(environment: Mapping[str, str]) -> Path:
    """The user's data folder; on a Space its mounted disk when there is one."""
    if environment.get("SPACE_ID") and Path("/data").is_dir() and os.access("/data", os.W_OK):
        return Path("/data/mmdemo")
    return user_data_path("mmdemo", appauthor=False)


def load_settings(environment: Mapping[str, str] | None = None, **flags: Any) -> Settings:
    """Settings from `environment` (default: the process's), overridden by the flags that are not None.

    Raises:
        UserError: a variable, of ours or of Gradio's, that cannot be used.
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
        values[field.name] = _typed(name, str(field.type), raw, RANGES.get(field.name))
    values.setdefault("workspace", default_workspace(environment))
    values["workspace"] = _folder(Path(values["workspace"]))
    for name, numbers in GRADIO.items():
        if name in environment:
            _number(name, "int", environment[name], numbers)
    if not values.get("server_name"):
        values["server_name"] = _text(
            "GRADIO_SERVER_NAME", environment.get("GRADIO_SERVER_NAME", "127.0.0.1")
        )
    if not values.get("server_port"):
        values["server_port"] = int(environment.get("GRADIO_SERVER_PORT", 0))
    found = Settings(**values)
    _ = found.trusted_proxies  # said now, and not at the first request
    return found


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError as e:
        raise UserError(
            f"MMDEMO_PROXIES has {text[:60]!r}, which is no address.", "Name addresses, as in 10.0.0.0/8."
        ) from e


def _folder(path: Path) -> Path:
    """The whole path of a workspace.

    Raises:
        UserError: it is a file, or no path that everything here can write down.
    """
    _text("MMDEMO_WORKSPACE", str(path))
    try:
        whole = path.expanduser().absolute()
    except RuntimeError as e:
        raise UserError(
            f"MMDEMO_WORKSPACE is {str(path)!r}, and there is no such home.", "Write the whole path."
        ) from e
    for part in (whole, *whole.parents):
        if os.path.lexists(part):
            if not part.is_dir():
                raise UserError(
                    f"The workspace {whole} cannot be used: {part} is not a folder.", "Name a folder."
                )
            break
    return whole


def _typed(name: str, kind: str, raw: Any, numbers: Range | None) -> Any:
    if kind == "bool":
        word = str(raw).strip().lower()
        if word not in YES + NO:
            raise UserError(
                f"{name} is {raw!r}, which is neither yes nor no.", f"Set {name} to true or false."
            )
        return word in YES
    if numbers is not None:
        return _number(name, kind, raw, numbers)
    return {"Path": Path}.get(kind, str)(_text(name, str(raw)))


def _number(name: str, kind: str, raw: Any, numbers: Range) -> Any:
    shown = f"{name} is {str(raw)[:60]!r}"
    try:
        value = {"int": int, "float": float}[kind](raw)
    except ValueError as e:
        what = "a whole number" if kind == "int" else "a number"
        raise UserError(f"{shown}, which is not {what}.", f"Set {name} to {numbers}.") from e
    if not (math.isfinite(value) and numbers.least <= value <= numbers.most):
        raise UserError(f"{shown}.", f"Set {name} to {numbers}.")
    return value


def _text(name: str, raw: str) -> str:
    """A text that can be stored and shown: no byte that is no UTF-8, nothing that steers a terminal."""
    if re.search("[\x00-\x1f\x7f\ud800-\udfff]", raw):
        raise UserError(
            f"{name} is {raw[:200]!r}, which holds a character that cannot be used.", "Choose another."
        )
    return raw


@contextmanager
def believing_nobody() -> Iterator[None]:
    """A server that is set up within this block leaves a request's address as the connection has it: by
    itself uvicorn believes whatever anybody at this machine says.
    """
    before = os.environ.get(OF_UVICORN)
    if before:
        log.warning("%s is not used: name the proxies that are believed in MMDEMO_PROXIES.", OF_UVICORN)
    os.environ[OF_UVICORN] = ""
    try:
        yield
    finally:
        if before is None:
            del os.environ[OF_UVICORN]
        else:
            os.environ[OF_UVICORN] = before
