"""A folder of this machine is named as a model by whoever works at it alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmdemo.asker import Asker, asking
from mmdemo.errors import UserError
from mmdemo.models.find_model import find_preset, preset_for
from mmdemo.models.memory import memory_mb, weights_mb
from tests.conftest import TASK


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One whose configuration says something that is nobody's business."""
    (tmp_path / "config.json").write_text('{"model_type": "precious"}')
    return tmp_path


NAMES = [
    "{}",
    "dual:{}",
    "dual:local-dir:{}+me/it",
    "{}/gone",
    "~",
    "./x",
    "../x",
    "here@",
    "here@main",
    "here@a@b",
    "it:is",
    "dual:it:is",
    "dual:{}/it:is",
]


@pytest.mark.parametrize("name", [*NAMES, "dual:here@", "gone/../../x", "dual:gone/../../x@main"])
def test_from_elsewhere_no_folder_is_looked_into_and_none_is_told_from_one_that_is_not_there(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "here").mkdir()
    (folder / "it:is").mkdir()
    monkeypatch.chdir(folder)
    for role in ("trainer", "owner"):
        with asking(Asker(role, "a session")), pytest.raises(UserError) as refused:  # type: ignore[arg-type]
            preset_for(TASK, name.format(folder))
        assert str(refused.value) == "Folders of the server cannot be named from outside. Write a Hub id."


@pytest.mark.parametrize("name", ["cnn+", "+rnn", "+", "local-dir:+rnn"])
def test_a_tower_without_a_name_is_not_the_folder_that_the_server_was_started_in(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    for asker in (Asker("trainer", "a session"), Asker()):
        with asking(asker), pytest.raises(UserError) as refused:
            preset_for(TASK, name)
        assert str(folder) not in str(refused.value) and "precious" not in str(refused.value)


@pytest.mark.parametrize("kind", ["hf-hub", "hf_hub", "file"])
def test_what_timm_would_take_from_elsewhere_is_no_name_of_a_backbone(kind: str) -> None:
    with pytest.raises(UserError, match="no tower 'timm/"):
        find_preset(f"towers:timm/{kind}:them/theirs+rnn")


def test_a_name_that_no_repository_can_have_has_no_size() -> None:
    preset = find_preset("captioner:a/b/c")
    assert weights_mb(preset) == memory_mb(preset) == 0


def test_at_this_machine_a_folder_says_what_it_is(folder: Path) -> None:
    with pytest.raises(UserError, match="precious"):
        preset_for(TASK, str(folder))
