"""What every row of the table of loaders keeps, and a loader of a package that is not ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from mmdemo.errors import RegistryError, UserError
from mmdemo.models.aligner import Towers
from mmdemo.models.calibration import Calibration
from mmdemo.models.captioning.transformers import FAMILIES as CAPTIONERS
from mmdemo.models.encoders.dual import FAMILIES, Family
from mmdemo.models.encoders.two_towers import TOWERS, ScratchTower
from mmdemo.models.encoders.video_clips import CLIPS
from mmdemo.models.find_model import find_preset, loaders_by_hand, preset_for
from mmdemo.models.heads.residual import HEADS, HeadShape
from mmdemo.models.heads.saved import make_head
from mmdemo.models.load import load_captioner, load_towers
from mmdemo.models.presets import LOADERS, PRESETS, Described, Loader, Preset
from mmdemo.service.app import App
from mmdemo.settings import ASSETS, Settings, load_settings
from tests import checkpoints

SETTINGS = load_settings({}, device="cpu")
FUNCTIONS = (
    "load_towers",
    "load_captioner",
    "base_calibration",
    "make_aligner",
    "open_encoder",
    "save_network",
)


@pytest.mark.parametrize("name", list(LOADERS))
def test_what_a_loader_says_of_itself_is_there(name: str) -> None:
    loader = LOADERS[name]
    assert loader.name == name and (loader.load_towers is None) != (loader.load_captioner is None)
    for field in FUNCTIONS:
        function: Any = getattr(loader, field)
        for one in [function.func, *function.args] if isinstance(function, partial) else [function]:
            if getattr(one, "__module__", "") == "mmdemo.heavy_imports":
                module, _, attribute = one.__qualname__.partition(":")
                assert callable(getattr(import_module(module), attribute)), one.__qualname__
    assert all(head in HEADS for head in loader.heads)
    assert set(loader.methods) <= {"head", "lora", "full"}
    assert bool(loader.recipe) == bool({"lora", "full"} & set(loader.methods))
    assert (loader.recipe == "pairs") == (loader.open_encoder is not None)


@pytest.mark.parametrize("name", list(PRESETS))
def test_every_preset_has_a_loader_of_its_task(name: str) -> None:
    preset = PRESETS[name]
    assert LOADERS[preset.loader].task == preset.task
    assert bool(preset.text_tower) != LOADERS[preset.loader].own_texts
    assert preset.methods and bool(preset.heads) == (preset.task != "captioning")


def test_one_loader_at_most_of_a_task_is_meant_for_what_no_other_names() -> None:
    others = [loader.task for loader in LOADERS.values() if loader.other_types]
    assert len(others) == len(set(others))


def test_a_model_of_one_kind_is_not_loaded_as_another() -> None:
    with pytest.raises(UserError, match="git-base-coco is a model of captioning"):
        load_towers(PRESETS["git-base-coco"], SETTINGS)
    with pytest.raises(UserError, match="is a model of image-text"):
        load_captioner(PRESETS["clip-vit-base-patch32"], None)  # type: ignore[arg-type]


class MeanColour:
    """Pictures as their mean colour."""

    id, modality, dim, feature_dim, input_px = "mean-colour-features", "image", 3, 3, 8

    def prepare(self, medium: Image.Image) -> np.ndarray:
        return np.asarray(medium.convert("RGB"), np.float32).mean((0, 1))

    def encode(self, media: list[Any]) -> np.ndarray:
        rows = np.stack([m if isinstance(m, np.ndarray) else self.prepare(m) for m in media]) + 1
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


class ColourNames:
    """Texts as the colours that they name."""

    id, dim = "mean-colour-texts", 3

    def encode(self, texts: list[str]) -> np.ndarray:
        rows = np.array([[("red" in t) + 0.1, ("green" in t) + 0.1, ("blue" in t) + 0.1] for t in texts])
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32).reshape(-1, 3)


@pytest.fixture
def colours() -> Iterator[None]:
    """A loader and a model of it, as a plug-in brings them."""

    def load(preset: Preset, settings: Settings) -> tuple[Towers, str]:
        return Towers(MeanColour(), ColourNames(), Calibration(10.0, -5.0), preset.id), "cpu"

    loader = Loader(
        "colours", "image-text", load_towers=load, heads=("residual",), describe=lambda model: Described(3, 0)
    )
    LOADERS.add("colours", loader)
    about = Preset(
        "mean-colour", "image-text", "a mean", "", "MIT", "", 1, loader="colours", dim=3, feature_dim=3
    )
    PRESETS.add("mean-colour", about)
    yield
    LOADERS.remove("colours")
    PRESETS.remove("mean-colour")


@pytest.mark.usefixtures("colours")
def test_a_model_and_its_loader_from_elsewhere_are_chosen_and_align(make_app: Callable[..., App]) -> None:
    app = make_app()
    app.versions.choose_model("image-text", "mean-colour")
    item = app.ws.items.listed("image", limit=1)[0]
    assert app.media.align(item, ["something red"])["model"] == "mean-colour"
    assert "colours" in loaders_by_hand("image-text") and "colours" not in loaders_by_hand("video-text")
    assert find_preset("colours:any").dim == 3
    with pytest.raises(RegistryError, match="a loader named 'colours' already"):
        LOADERS.add("colours", LOADERS["colours"])
    with pytest.raises(UserError, match=r"no model 'colour'.*mean-colour.*colours:NAME"):
        find_preset("colour")


def test_a_folder_named_relative_to_the_current_one_is_found_from_elsewhere(
    tmp_path: Path, make_app: Callable[..., App], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = checkpoints.save_clip(tmp_path / "models" / "clip")
    monkeypatch.chdir(tmp_path)
    app = make_app("w")
    chosen = app.versions.choose_model("image-text", "dual:models/clip")
    active = next(v["id"] for v in chosen["versions"] if v["active"])
    assert app.ws.versions.get(active).base == f"dual:{folder}"
    assert active == preset_for("image-text", str(folder)).id == preset_for("image-text", "models/clip").id
    app.close()
    monkeypatch.chdir(ASSETS)
    again = make_app("w")
    item = again.ws.items.listed("image", limit=1)[0]
    assert again.media.align(item, ["a cat"])["model"] == active
    monkeypatch.chdir(tmp_path)
    bert = checkpoints.save_bert(tmp_path / "models" / "bert")
    assert find_preset("towers:cnn+models/bert").media_tower == f"cnn+{bert}"


class LetterCounts(torch.nn.Module):
    """A text tower that is no sequence model: the mean of its tokens' vectors."""

    width = 8

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.tokens = torch.nn.Embedding(vocabulary, self.width)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """(N, T) ids and mask to (N, 8)."""
        weight = attention_mask / attention_mask.sum(1, keepdim=True)
        return (self.tokens(input_ids) * weight[..., None]).sum(1)


def test_a_tower_from_elsewhere_is_joined_with_ours() -> None:
    TOWERS.add("letters", ScratchTower(text=LetterCounts))
    try:
        preset = find_preset("towers:cnn+letters")
        assert preset.scratch and preset.methods == ("full", "head")
        towers, _ = load_towers(preset, SETTINGS)
        assert towers.text.encode(["a cat", "two boats"]).shape == (2, 256)
        with pytest.raises(UserError, match=r"no tower 'letters' for image.*cnn, vit, timm/NAME"):
            find_preset("towers:letters+letters")
    finally:
        TOWERS.remove("letters")


def test_families_of_encoders_and_captioners_are_tables_that_take_more(tmp_path: Path) -> None:
    folder = checkpoints.save_bert(tmp_path / "bert")
    with pytest.raises(UserError, match=r"type 'bert'.*clip, siglip, siglip2, blip, clap"):
        find_preset(f"dual:{folder}")
    FAMILIES.add("bert", Family("BertModel", lambda config: config.hidden_size, Calibration(10.0, -5.0)))
    try:
        assert find_preset(f"dual:{folder}").dim == 32
        with pytest.raises(RegistryError, match="family of dual encoders named 'clip' already"):
            FAMILIES.add("clip", FAMILIES["clip"])
    finally:
        FAMILIES.remove("bert")
    assert list(CLIPS) == ["xclip", "videoprism"] and list(CAPTIONERS) == ["blip", "git"]


def test_an_unknown_head_lists_those_there_are() -> None:
    with pytest.raises(UserError, match="There is no head 'x'") as told:
        make_head(HeadShape(4, 2, kind="x"))
    names = told.value.cure.removeprefix("Use one of: ").rstrip(".").split(", ")
    assert sorted(names) == ["concatenation", "cross-attention", "residual", "temporal"]
