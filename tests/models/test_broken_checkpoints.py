"""A checkpoint that cannot be used is refused in one sentence that names the file and what is wrong in it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from mmdemo.command_line import main
from mmdemo.errors import UserError
from mmdemo.models.find_model import find_preset
from mmdemo.models.load import load_captioner, load_towers
from mmdemo.settings import ASSETS, load_settings
from tests import checkpoints

SETTINGS = load_settings({}, device="cpu")
WHOLE = {
    "dual": checkpoints.save_clip,
    "whisper": checkpoints.save_whisper,
    "ctc": checkpoints.save_ctc,
    "captioner": checkpoints.save_blip,
}
WEIGHTS = "model.safetensors"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A checkpoint of each kind, saved once."""
    root = tmp_path_factory.mktemp("whole")
    return {kind: save(root / kind) for kind, save in WHOLE.items()}


def say(**values: Any) -> Callable[[Path], None]:
    """Set these values wherever a configuration has them."""

    def change(config: dict[str, Any]) -> None:
        for name, value in config.items():
            if isinstance(value, dict):
                change(value)
            elif name in values:
                config[name] = values[name]

    def breaks(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text())
        change(config)
        (folder / "config.json").write_text(json.dumps(config))

    return breaks


def cut(folder: Path) -> None:
    with (folder / WEIGHTS).open("r+b") as file:
        file.truncate((folder / WEIGHTS).stat().st_size - 1000)


def pickled(folder: Path) -> None:
    torch.save({}, folder / "pytorch_model.bin")
    (folder / WEIGHTS).unlink()


def of_other_shapes(folder: Path) -> None:
    tensors = load_file(folder / WEIGHTS)
    name = next(n for n in sorted(tensors) if tensors[n].ndim == 2)
    save_file(tensors | {name: torch.zeros(3, 5)}, folder / WEIGHTS, metadata={"format": "pt"})


def junk(*names: str) -> Callable[[Path], None]:
    def breaks(folder: Path) -> None:
        for name in (n for n in names if (folder / n).exists()):
            (folder / name).write_bytes(b"junk" * 100)

    return breaks


def in_parts(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    named = {"weight_map": {"a": "model-00001-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(named))


BROKEN = {
    "shapes": (of_other_shapes, r"tensor \S+ of 3 x 5 numbers, and its config.json says \d+ x \d+"),
    "wide": (say(hidden_size=10**9, d_model=10**9), r"config.json says \w+ 1000000000, but its weights have"),
    "deep": (
        say(num_hidden_layers=10**8, encoder_layers=10**8),
        r"config.json says \w+ 100000000, but its weights have \d+ tensors in all",
    ),
    "long": (
        say(
            max_position_embeddings=10**9, max_target_positions=10**9, num_conv_pos_embeddings=10**9
        ),  # no tensor's own size, and each takes 128 GB
        r"config.json asks for [\d,]+ numbers, but its weights have [\d,]+ in all",
    ),
    "pickled": (pickled, r"only as pytorch_model.bin, a format that is not read here"),
    "cut": (cut, r"model.safetensors is cut off: it has \d+ bytes, and its header says \d+"),
    "junk": (junk(WEIGHTS), r"model.safetensors is not a safetensors file"),
    "parts": (in_parts, r"model-00001-of-00002.safetensors is missing"),
    "config": (junk("config.json"), r"config.json is not JSON that can be read"),
    "no config": (lambda folder: (folder / "config.json").unlink(), r"has no config.json"),
    "a list": (lambda folder: (folder / "config.json").write_text("[1]") and None, r"names no model_type"),
    "words": (say(hidden_size="many", d_model="many"), r"(hidden_size|d_model)' expected int, got str"),
    "tokens": (junk("tokenizer.json", "vocab.json"), r"(tokenizer|vocab).json is not JSON"),
    "processor": (
        junk("preprocessor_config.json", "processor_config.json"),
        r"process\w+_config.json is not JSON",
    ),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_what_is_broken_is_named(kind: str, whole: dict[str, Path], tmp_path: Path) -> None:
    load: Callable[..., Any] = load_captioner if kind == "captioner" else load_towers
    load(find_preset(f"{kind}:{whole[kind]}"), SETTINGS)
    for what, (breaks, says) in BROKEN.items():
        folder = tmp_path / what.replace(" ", "-")
        shutil.copytree(whole[kind], folder)
        breaks(folder)
        with pytest.raises(UserError, match=says) as refused:
            load(find_preset(f"{kind}:{folder}"), SETTINGS)
        said = str(refused.value)
        assert str(folder) in said and "\n" not in said and "network" not in said, what


@pytest.mark.slow
def test_nothing_comes_between_on_the_command_line(
    whole: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(whole["dual"], tmp_path / "bad")
    of_other_shapes(tmp_path / "bad")
    picture = str(ASSETS / "photos" / "coffee.jpg")
    align = ["align", picture, "a cup", "--workspace", str(tmp_path / "w")]
    for name, value in {"DEVICE": "cpu", "SAMPLES": "0", "MODEL": f"dual:{tmp_path / 'bad'}"}.items():
        monkeypatch.setenv(f"MMDEMO_{name}", value)
    assert main(align) == 2
    refused = capfd.readouterr()
    assert refused.out == "" and refused.err.count("\n") == 1 and "of 3 x 5 numbers" in refused.err
    monkeypatch.setenv("MMDEMO_MODEL", f"dual:{whole['dual']}")
    alone = [sys.executable, "-m", "mmdemo", *align]  # what comes from imports, and as it ends, comes too
    taken = subprocess.run(alone, capture_output=True, text=True, cwd=ASSETS.parent)
    assert taken.returncode == 0 and taken.stderr == ""


def test_a_path_that_is_no_folder_is_not_looked_for_on_the_hub(tmp_path: Path) -> None:
    for name in (str(tmp_path / "gone"), "./gone", "a/b/c"):
        with pytest.raises(UserError, match=r"There is no folder .*(gone|a/b/c)"):
            find_preset(f"dual:{name}")
