"""A model that loads and cannot answer is refused before it is taken, in a sentence, whatever its kind."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from mmdemo.errors import UserError
from mmdemo.models.aligner import Towers
from mmdemo.models.calibration import Calibration
from mmdemo.models.find_model import find_preset
from mmdemo.models.load import load_captioner, load_towers
from mmdemo.models.presets import LOADERS, Loader, Preset
from mmdemo.service.app import App
from mmdemo.settings import load_settings
from tests import checkpoints

SETTINGS = load_settings({}, device="cpu")
TOWERS = {
    "clip": ("dual", checkpoints.save_clip),
    "siglip": ("dual", checkpoints.save_siglip),
    "siglip2": ("dual", checkpoints.save_siglip2),
    "blip retrieval": ("dual", checkpoints.save_blip_retrieval),
    "clap": ("sounds", checkpoints.save_clap),
    "clip of frames": ("frames", checkpoints.save_clip),
    "xclip": ("frames", checkpoints.save_xclip),
    "videoprism": ("frames", checkpoints.save_videoprism),
    "whisper": ("whisper", checkpoints.save_whisper),
    "ctc": ("ctc", checkpoints.save_ctc),
}
CAPTIONERS = {
    "blip": checkpoints.save_blip,
    "git": checkpoints.save_git,
    "smolvlm": checkpoints.save_smolvlm,
}


def without_tokeniser(folder: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.json"):
        (folder / name).unlink(missing_ok=True)


def with_larger_pictures(folder: Path) -> None:
    for name in ("preprocessor_config.json", "processor_config.json"):
        if (folder / name).exists():
            (folder / name).write_text((folder / name).read_text().replace("32", "48"))


def with_no_number(folder: Path) -> str:
    tensors = load_file(folder / "model.safetensors")
    name = [n for n, t in tensors.items() if t.ndim == 2][-1]
    tensors[name][0, 0] = float("nan")
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return name


def refused(kind: str, folder: Path) -> str:
    load: Callable[..., Any] = load_captioner if kind == "captioner" else load_towers
    with pytest.raises(UserError) as told:
        load(find_preset(f"{kind}:{folder}"), SETTINGS)
    assert told.value.cure and "\n" not in str(told.value)
    return str(told.value)


@pytest.mark.parametrize("family", TOWERS)
def test_one_whose_weights_hold_no_number_is_refused(family: str, tmp_path: Path) -> None:
    kind, save = TOWERS[family]
    folder = save(tmp_path / "m")
    name = with_no_number(folder)
    assert f"tensor {name} that are no numbers" in refused(kind, folder)


@pytest.mark.parametrize("family", TOWERS)
def test_one_without_a_tokeniser_is_refused(family: str, tmp_path: Path) -> None:
    kind, save = TOWERS[family]
    folder = save(tmp_path / "m")
    without_tokeniser(folder)
    told = refused(kind, folder)
    assert "no tokeniser" in told or "could not be loaded" in told


@pytest.mark.parametrize("family", ["clip", "siglip", "blip retrieval", "clip of frames"])
def test_one_whose_processor_makes_other_pictures_is_refused(family: str, tmp_path: Path) -> None:
    kind, save = TOWERS[family]
    folder = save(tmp_path / "m")
    with_larger_pictures(folder)
    noun = "video" if kind == "frames" else "picture"
    assert f"fails at a {noun}: " in refused(kind, folder)


@pytest.mark.parametrize("family", CAPTIONERS)
def test_a_captioner_is_tried_alike(family: str, tmp_path: Path) -> None:
    for i, spoil in enumerate((without_tokeniser, with_larger_pictures, with_no_number)):
        folder = CAPTIONERS[family](tmp_path / str(i))
        spoil(folder)
        told = refused("captioner", folder)
        assert any(w in told for w in ("no tokeniser", "could not be loaded", "fails at", "no numbers")), told


def test_one_whose_tokeniser_knows_more_words_than_its_network_is_refused(tmp_path: Path) -> None:
    folder = checkpoints.save_clip(tmp_path / "clip")
    file = folder / "tokenizer.json"
    facts = json.loads(file.read_text())
    words = facts["model"]["vocab"]
    words["a"] = len(words) + 100
    file.write_text(json.dumps(facts))
    assert "fails at a text: " in refused("dual", folder)


def test_one_that_is_refused_leaves_the_active_one_in_place(
    make_app: Callable[..., App], tmp_path: Path
) -> None:
    app = make_app()
    app.models.aligner("video-text")
    folder = checkpoints.save_clip(tmp_path / "clip")
    with_larger_pictures(folder)
    before = app.ws.versions.active("video-text")
    with pytest.raises(UserError, match="fails at a video"):
        app.versions.choose_model("video-text", f"frames:{folder}")
    assert app.ws.versions.active("video-text") == before
    assert app.models.status("video-text").state == "ready"


class Numbers:
    """A tower that answers with what it was given."""

    id, modality, dim, feature_dim = "numbers-features", "image", 2, 2

    def __init__(self, answer: Callable[[int], np.ndarray]) -> None:
        self.answer = answer

    def prepare(self, medium: Any) -> Any:
        return medium

    def encode(self, media: list[Any]) -> np.ndarray:
        return self.answer(len(media))


@pytest.fixture
def numbers() -> Iterator[Callable[..., Preset]]:
    """Makes a model of two towers that answer with some numbers."""

    def make(media: Callable[[int], np.ndarray], text: Callable[[int], np.ndarray]) -> Preset:
        towers = Towers(Numbers(media), Numbers(text), Calibration(10.0, -5.0), "numbers")
        LOADERS.remove("numbers")
        LOADERS.add("numbers", Loader("numbers", "image-text", load_towers=lambda p, s: (towers, "cpu")))
        preset = Preset("numbers", "image-text", "", "", "", "", loader="numbers", dim=2)
        return replace(preset, feature_dim=2)

    yield make
    LOADERS.remove("numbers")


def test_towers_of_any_package_must_answer_with_vectors_of_the_size_they_say(
    numbers: Callable[..., Preset],
) -> None:
    good = lambda n: np.eye(2, dtype=np.float32)[np.arange(n) % 2]  # noqa: E731
    assert load_towers(numbers(good, good), SETTINGS)
    for media, text, says in (
        (lambda n: np.ones((n, 3), np.float32), good, r"makes 1 x 3 numbers of a picture, not 1 x 2"),
        (good, lambda n: np.ones(n, np.float32), r"makes 2 numbers of a text, not 2 x 2"),
        (lambda n: np.full((n, 2), np.nan), good, "makes of a picture what is no number"),
        (good, lambda n: np.full((n, 2), np.inf), "makes of a text what is no number"),
    ):
        with pytest.raises(UserError, match=says):
            load_towers(numbers(media, text), SETTINGS)
