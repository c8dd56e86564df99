"""Models in memory: one loads beside another, the least used go, and each is tried on its device."""

from __future__ import annotations

import ctypes
import gc
import importlib.util
import logging
import shutil
import threading
import weakref
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from mmdemo.errors import UserError
from mmdemo.models.aligner import Towers
from mmdemo.models.calibration import Calibration
from mmdemo.models.load import load_towers
from mmdemo.models.loaded_models import LoadedModels
from mmdemo.models.presets import LOADERS, PRESETS, Loader, Preset
from mmdemo.models.speech.gpu_libraries import preload_cublas
from mmdemo.service.app import App
from mmdemo.settings import Settings, load_settings

IMAGE, SPEECH = "image-text", "speech-text"


class Model:
    """What is loaded."""


def test_the_one_that_was_asked_for_longest_ago_goes_when_the_room_is_full() -> None:
    models = LoadedModels(lambda: 100, {})
    for key in ("a", "b"):
        models.get(key, lambda: 40, Model)
    models.get("a", lambda: 40, Model)
    models.get("c", lambda: 40, Model)
    assert models.find("a") and models.find("c") and models.find("b") is None
    assert models.get("b", lambda: 40, Model) and models.find("a") is None


def test_one_that_somebody_holds_stays_though_the_room_is_full() -> None:
    models = LoadedModels(lambda: 100, {})
    held = models.get("held", lambda: 90, Model)
    models.get("new", lambda: 90, Model)
    assert models.find("held") is held and models.find("new")


def test_two_that_ask_for_one_model_load_it_once() -> None:
    loads: list[int] = []
    begun, go_on = threading.Event(), threading.Event()

    def load() -> Model:
        loads.append(1)
        begun.set()
        assert go_on.wait(30)
        return Model()

    models = LoadedModels(lambda: 100, {})
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(models.get("a", lambda: 1, load))) for _ in "ab"]
    threads[0].start()
    assert begun.wait(30)
    threads[1].start()
    go_on.set()
    for thread in threads:
        thread.join(30)
    assert loads == [1] and found[0] is found[1]


def test_two_that_load_at_once_make_room_for_both() -> None:
    models = LoadedModels(lambda: 100, {})
    models.get("old", lambda: 40, Model)

    def load() -> (
        Model
    ):  # while this one is on its way another comes, and the old one would fit beside either
        models.get("second", lambda: 40, Model)
        return Model()

    models.get("first", lambda: 40, load)
    assert models.find("old") is None and models.find("first") and models.find("second")


def test_what_all_models_share_is_locked_neither_while_one_loads_nor_while_memory_is_given_back() -> None:
    free: dict[str, bool] = {}

    def look(name: str, answer: Any = None) -> Any:
        free[name] = not models._guard.locked()
        return answer

    models = LoadedModels(
        lambda: look("room", 50), {}, lambda model: look("forget"), lambda: look("given back")
    )
    models.get("old", lambda: 40, Model)
    models.get("new", lambda: look("size", 40), lambda: look("load", Model()))
    # what lets go of a model drops its own alone: its locks stand behind this one
    assert free == {"room": True, "size": True, "load": True, "given back": True, "forget": False}


def test_a_model_that_fails_to_load_can_be_asked_for_again_and_takes_no_room() -> None:
    models = LoadedModels(lambda: 100, {})
    models.get("old", lambda: 90, Model)

    def fail() -> Model:
        raise UserError("Broken.")

    with pytest.raises(UserError):
        models.get("a", lambda: 10, fail)
    assert models.get("b", lambda: 10, Model) and models.find("old")
    assert models.get("a", lambda: 1, Model)


def test_an_image_is_answered_while_speech_loads(
    make_app: Callable[..., App], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app("at-once")
    begun, go_on = threading.Event(), threading.Event()
    speech = LOADERS.get(PRESETS.get(app.settings.speech_model).loader)

    def slow(preset: Preset, settings: Settings) -> tuple[Towers, str]:
        if preset.task == SPEECH:
            begun.set()
            assert go_on.wait(60)
        return load_towers(preset, settings)

    assert speech.load_towers is not None
    monkeypatch.setattr("mmdemo.models.manager.load_towers", slow)
    app.models._loaded._kept.pop(PRESETS.get(app.settings.speech_model).media_features, None)
    app.models.aligner(IMAGE)
    loading = threading.Thread(target=lambda: app.models.aligner(SPEECH))
    loading.start()
    try:
        assert begun.wait(60)
        item = app.ws.items.listed("image", limit=1)[0]
        assert app.media.align(item, ["an apple"])["scores"] and loading.is_alive()
        assert app.models.status(SPEECH).state == "loading" and app.models.status(IMAGE).state == "ready"
    finally:
        go_on.set()
        loading.join(120)
    assert app.models.status(SPEECH).state == "ready"


@pytest.fixture
def colours(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Three models of pictures, `colour-0` to `colour-2`, of 400 MB each; tells which were loaded."""
    loads: list[str] = []

    def load(preset: Preset, settings: Settings) -> tuple[Towers, str]:
        loads.append(preset.id)
        media = Media()
        media.id = preset.media_features
        return Towers(media, Text(), Calibration(10.0, -5.0), preset.id), "cpu"

    monkeypatch.setattr("mmdemo.models.memory.free_mb", lambda compute: 10_000)
    LOADERS.add("colour", Loader("colour", IMAGE, load_towers=load))
    names = [f"colour-{i}" for i in range(3)]
    for name in names:
        numbers = {"dim": 2, "feature_dim": 2, "size_mb": 400, "text_tower": ""}
        PRESETS.add(name, Preset(name, IMAGE, "", "", "MIT", "", loader="colour", **numbers))
    yield loads
    LOADERS.remove("colour")
    for name in names:
        PRESETS.remove(name)


def test_a_model_that_left_the_memory_is_loaded_again_and_what_an_index_holds_goes_on(
    tmp_path: Any, new_workspace: Any, colours: list[str]
) -> None:
    shutil.copytree(new_workspace, tmp_path / "w")
    settings = load_settings({}, workspace=tmp_path / "w", device="cpu", model_memory_mb=1000)
    app = App(settings)  # with models of its own, so that none of another test's goes
    for i in range(3):
        app.ws.versions.add_base(IMAGE, f"colour-{i}", f"colour-{i}")
    held = app.models.aligner(IMAGE, "colour-0")  # as an index that answers holds it
    app.models.aligner(IMAGE, "colour-1")
    app.models.aligner(IMAGE, "colour-2")
    assert colours == ["colour-0", "colour-1", "colour-2"]
    assert app.models.aligner(IMAGE, "colour-0").towers is held.towers and len(colours) == 3
    assert held.encode_media([None]).shape == (1, 2)
    app.models.aligner(IMAGE, "colour-1")  # nobody held it, so it had left
    assert colours[3:] == ["colour-1"]
    app.close()


def test_a_version_that_another_process_removed_is_let_go(
    make_app: Callable[..., App], colours: list[str]
) -> None:
    app, other = make_app("one"), make_app("one")
    for i in range(3):
        app.ws.versions.add_base(IMAGE, f"colour-{i}", f"colour-{i}")
    gone = weakref.ref(app.models.aligner(IMAGE, "colour-0"))
    other.ws.versions.remove("colour-0")
    with pytest.raises(UserError, match="no version 'colour-0'"):
        app.models.aligner(IMAGE, "colour-0")
    app.models.aligner(IMAGE, "colour-1")
    gc.collect()
    assert gone() is None


def test_what_another_process_activates_is_loaded_behind_the_page_and_told(
    make_app: Callable[..., App], colours: list[str]
) -> None:
    app, other = make_app("one"), make_app("one")
    app.models.aligner(IMAGE)
    assert app.models.status(IMAGE).state == "ready"
    other.ws.versions.add_base(IMAGE, "colour-2", "colour-2")
    other.ws.versions.activate("colour-2")
    assert app.models.status(IMAGE).state == "loading"
    for thread in [t for t in threading.enumerate() if t.name == "mmdemo-load"]:
        thread.join(60)
    assert app.models.status(IMAGE).message.startswith("colour-2")
    assert app.models.aligner(IMAGE).version == "colour-2" and colours == ["colour-2"]


# A device that fails


class Media:
    """A media tower of two numbers."""

    id, modality, feature_dim, dim = "flaky-features", "image", 2, 2

    def prepare(self, medium: Any) -> Any:
        return medium

    def encode(self, media: list[Any]) -> np.ndarray:
        return np.tile(np.array([1.0, 0.0], np.float32), (len(media), 1))


class Text:
    """A text tower of two numbers."""

    id, dim = "flaky-texts", 2

    def encode(self, texts: list[str]) -> np.ndarray:
        return np.tile(np.array([1.0, 0.0], np.float32), (len(texts), 1))


@pytest.fixture
def flaky() -> Iterator[Preset]:
    """A model that loads on any device, and works on the CPU only."""

    class OnGpu(Media):
        def encode(self, media: list[Any]) -> np.ndarray:
            raise RuntimeError("Library libcublas.so.12 is not found or cannot be loaded")

    def load(preset: Preset, settings: Settings) -> tuple[Towers, str]:
        media = Media() if settings.device == "cpu" else OnGpu()
        return Towers(media, Text(), Calibration(10.0, -5.0), preset.id), f"{settings.device} (float32)"

    LOADERS.add("flaky", Loader("flaky", IMAGE, load_towers=load))
    numbers = {"dim": 2, "feature_dim": 2, "media_package": "x"}
    preset = Preset("flaky", IMAGE, "two numbers", "", "MIT", "", 1, loader="flaky", **numbers)
    yield preset
    LOADERS.remove("flaky")


def test_where_a_device_fails_it_is_said_once_and_the_model_goes_on_on_the_cpu(
    flaky: Preset, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Any
) -> None:
    from mmdemo.models import device

    decide = device.decide_compute
    gpu = SimpleNamespace(device=torch.device("cuda"))
    monkeypatch.setattr(
        device, "decide_compute", lambda name, threads=0: gpu if name == "cuda" else decide(name)
    )
    settings = load_settings({}, workspace=tmp_path, device="cuda")
    with caplog.at_level(logging.WARNING):
        towers, told = load_towers(flaky, settings)
    assert towers.media.encode([None]).shape == (1, 2)
    assert told.startswith("cpu") and "as cuda failed" in told and "libcublas.so.12" in told
    assert [r.levelname for r in caplog.records if "goes on on the CPU" in r.message] == ["WARNING"]


@pytest.mark.skipif(
    importlib.util.find_spec("nvidia") is None or importlib.util.find_spec("nvidia.cublas") is None,
    reason="the wheel nvidia-cublas-cu12 is for Linux on x86_64",
)
def test_the_matrix_library_of_the_recogniser_is_found_by_its_name_once_it_is_preloaded() -> None:
    assert preload_cublas()
    assert ctypes.CDLL("libcublas.so.12").cublasCreate_v2
    with pytest.raises(AttributeError):  # or PyTorch's own could be bound to it
        assert ctypes.CDLL(None).cublasCreate_v2
