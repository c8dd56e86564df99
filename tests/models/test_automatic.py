"""The base version that a new workspace begins with where nobody names one."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from mmdemo.errors import UserError
from mmdemo.modality import MODALITIES
from mmdemo.models.automatic import begin_with, better_than
from mmdemo.models.hub.local_cache import is_local
from mmdemo.models.presets import PRESETS
from mmdemo.models.speech import wheels
from mmdemo.models.speech.wheels import SplitWeights
from mmdemo.service.app import App
from mmdemo.settings import ASSETS, Settings, load_settings
from tests import checkpoints
from tests.conftest import BASE, TASK

CLIP, SIGLIP, SIGLIP2 = "clip-vit-base-patch32", "siglip-base-patch16-224", "siglip2-base-patch16-224"


@pytest.fixture
def cached(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Put a small CLIP into the Hub's cache of this session in the place of a preset's model."""
    small = checkpoints.save_clip(tmp_path / "small", dim=512)

    def put(preset: str) -> Path:
        return checkpoints.put_in_cache(small, PRESETS[preset].media_tower)

    yield put
    shutil.rmtree(constants.HF_HUB_CACHE, ignore_errors=True)


@pytest.fixture
def open_app(tmp_path: Path) -> Iterator[Callable[..., App]]:
    """Open workspaces with towers of their own: others than those of the same name in other tests."""
    opened: list[App] = []

    def make(name: str, **flags: object) -> App:
        flags = {"workspace": tmp_path / name, "device": "cpu", "samples": False} | flags
        opened.append(App(load_settings({}, **flags)))
        return opened[-1]

    yield make
    for app in opened:
        app.close()


def align(app: App) -> str:
    """Align a photograph; which version answered."""
    item = app.media.keep(ASSETS / "photos" / "coffee.jpg")
    return str(app.media.align(item, ["a cup", "a rocket"])["model"])


def test_a_new_workspace_begins_with_the_best_model_that_is_downloaded_and_it_answers(
    cached: Callable[[str], Path], open_app: Callable[..., App]
) -> None:
    cached(CLIP)
    app = open_app("w")
    assert app.ws.versions.active(TASK) == app.settings.model == CLIP
    assert app.ws.versions.active("video-text") == app.settings.video_model == f"{CLIP}-video"
    assert align(app) == CLIP
    assert not app.ws.versions.is_chosen(TASK)


def test_without_downloads_it_begins_with_what_ships(open_app: Callable[..., App]) -> None:
    app = open_app("w")
    for modality in MODALITIES.values():
        assert app.ws.versions.active(modality.task) == modality.default_model


def test_a_workspace_keeps_the_base_that_it_has_begun_with(
    cached: Callable[[str], Path], open_app: Callable[..., App]
) -> None:
    open_app("w").close()
    named = open_app("named", model="efficientnet-lite2-devise")
    assert named.ws.versions.active(TASK) == named.settings.model == "efficientnet-lite2-devise"
    named.close()
    cached(CLIP)
    app = open_app("w")
    assert app.ws.versions.active(TASK) == BASE
    assert [v.id for v in app.ws.versions.of_task(TASK)] == [BASE]
    assert open_app("named").ws.versions.active(TASK) == "efficientnet-lite2-devise"


def test_a_download_that_is_cut_off_is_passed_over_in_one_line(
    cached: Callable[[str], Path], open_app: Callable[..., App], caplog: pytest.LogCaptureFixture
) -> None:
    cached(CLIP)
    weights = cached(SIGLIP2) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    app = open_app("w")
    assert app.ws.versions.active(TASK) == CLIP
    (line,) = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert line.startswith(f"{SIGLIP2} was downloaded and is passed over: ") and "is cut off" in line
    assert "\n" not in line


def test_a_model_that_cannot_be_loaded_gives_way_to_the_next_in_one_line(
    cached: Callable[[str], Path], open_app: Callable[..., App], caplog: pytest.LogCaptureFixture
) -> None:
    cached(CLIP)
    (cached(SIGLIP) / "tokenizer.json").unlink()
    app = open_app("w")
    assert app.ws.versions.active(TASK) == SIGLIP  # its weights are whole
    assert align(app) == CLIP == app.ws.versions.active(TASK)
    (line,) = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert line.startswith(f"{SIGLIP} could not be loaded, so {CLIP} begins in its place: ")
    app.close()
    assert open_app("w").ws.versions.active(TASK) == CLIP


def test_a_base_that_a_workspace_has_begun_with_gives_way_to_nothing_when_it_fails_once(
    cached: Callable[[str], Path], open_app: Callable[..., App]
) -> None:
    folder = cached(CLIP)
    app = open_app("w")
    assert align(app) == CLIP
    app.close()
    (folder / "tokenizer.json").rename(folder / "kept.json")
    later = open_app("w")
    with pytest.raises(UserError, match=CLIP):
        align(later)
    (folder / "kept.json").rename(folder / "tokenizer.json")
    assert align(later) == CLIP == later.ws.versions.active(TASK)


def test_when_no_download_can_be_loaded_what_ships_answers(
    cached: Callable[[str], Path], open_app: Callable[..., App]
) -> None:
    for name in (CLIP, SIGLIP):
        (cached(name) / "tokenizer.json").unlink()
    app = open_app("w")
    assert align(app) == BASE == app.ws.versions.active(TASK)
    assert app.models.status(TASK).state == "ready"


def test_what_a_person_chose_gives_way_to_nothing(
    cached: Callable[[str], Path], open_app: Callable[..., App]
) -> None:
    (cached(CLIP) / "tokenizer.json").unlink()
    app = open_app("w")
    app.versions.activate(CLIP, "ada")
    with pytest.raises(UserError, match=CLIP):
        align(app)
    assert app.ws.versions.active(TASK) == CLIP
    named = open_app("named", model=CLIP)
    with pytest.raises(UserError, match=CLIP):
        align(named)
    assert named.ws.versions.active(TASK) == CLIP


def test_a_model_too_large_for_the_memory_of_models_is_not_begun_with(
    cached: Callable[[str], Path], settings: Settings, open_app: Callable[..., App]
) -> None:
    cached(CLIP)
    image = MODALITIES.get("image")
    assert begin_with(image, settings) == CLIP
    assert open_app("w", model_memory_mb=500).ws.versions.active(TASK) == BASE


def test_a_recogniser_is_offered_and_not_begun_with(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(wheels.SPLIT_WEIGHTS, "base", SplitWeights(("mmdemo",), "0" * 64))
    audio = MODALITIES.get("audio")
    assert is_local(PRESETS["faster-whisper-base"])
    assert begin_with(audio, settings) == audio.default_model
    offered = better_than(audio.task, PRESETS[audio.default_model].published)
    assert "faster-whisper-base" in [preset.id for preset in offered]


def test_published_figures_order_a_tasks_models_and_say_where_they_stand() -> None:
    assert [preset.id for preset in better_than(TASK)] == [SIGLIP2, SIGLIP, CLIP]
    assert [preset.id for preset in better_than(TASK, PRESETS[SIGLIP].published)] == [SIGLIP2]
    for preset in PRESETS.values():
        assert bool(preset.published) == bool(preset.published_as), preset.id
        assert preset.published <= 100 and preset.published_as == preset.published_as.rstrip(".")


def test_the_choice_needs_no_pytorch(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from mmdemo.service.context import Context\n"
        "from mmdemo.settings import load_settings\n"
        "Context(load_settings({}, workspace=Path(sys.argv[1]), samples=False)).close()\n"
        "print('torch' in sys.modules, 'transformers' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "w")], capture_output=True, text=True, cwd=ASSETS.parent
    )
    assert done.stdout.split() == ["False", "False"], done.stderr
