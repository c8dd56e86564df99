"""A folder of this machine is named as a model by whoever works at it alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmdemo.asker import Asker, asking
from mmdemo.errors import UserError
from mmdemo.models.find_model import preset_for
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
]


@pytest.mark.parametrize("name", [*NAMES, "dual:here@", "gone/../../x", "dual:gone/../../x@main"])
def test_from_elsewhere_no_folder_is_looked_into_and_none_is_told_from_one_that_is_not_there(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "here").mkdir()
    monkeypatch.chdir(folder)
    for role in ("trainer", "owner"):
        with asking(Asker(role, "a session")), pytest.raises(UserError) as refused:  # type: ignore[arg-type]
            preset_for(TASK, name.format(folder))
        assert str(refused.value) == "Folders of the server cannot be named from outside. Write a Hub id."


def test_at_this_machine_a_folder_says_what_it_is(folder: Path) -> None:
    with pytest.raises(UserError, match="precious"):
        preset_for(TASK, str(folder))
