"""Paths that somebody names: whatever is written, the answer is a sentence."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mmdemo.command_line import main
from mmdemo.data.importing import import_source
from mmdemo.data.reading import open_source
from mmdemo.errors import UserError
from mmdemo.media.listing import entries, files_below
from mmdemo.models.find_model import preset_for
from mmdemo.service.app import App
from mmdemo.store.workspace import Workspace
from tests.conftest import TASK, png

LONG = "a" * 300  # more bytes than a name on a disk can have
NOWHERE = [LONG, f"{LONG}/b", f"/{LONG}.json", "~nobody-of-that-name/x"]


@pytest.mark.parametrize("name", NOWHERE)
def test_a_source_of_a_name_that_nothing_can_have_does_not_exist(ws: Workspace, name: str) -> None:
    with pytest.raises(UserError, match="does not exist"), open_source(name):
        pass
    with pytest.raises(UserError, match="does not exist"):
        import_source(ws, name, TASK)


@pytest.mark.parametrize("name", ["import", "evaluate"])
def test_the_command_line_says_so_in_one_line(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MMDEMO_SAMPLES", "0")
    named = {"import": [LONG], "evaluate": ["--pairs", LONG]}[name]
    assert main([name, *named, "--workspace", str(tmp_path / "workspace")]) == 2
    assert f"{LONG} does not exist." in capsys.readouterr().err


@pytest.mark.parametrize("name", [f"./{LONG}", f"/{LONG}/b", "~nobody-of-that-name/x"])
def test_a_model_in_a_folder_of_such_a_name_is_not_there(name: str) -> None:
    with pytest.raises(UserError, match=r"no folder|does not exist"):
        preset_for(TASK, f"dual:{name}")


def test_what_is_measured_on_or_searched_with_is_looked_at_before_a_model_is_loaded(
    make_app: Callable[..., App], tmp_path: Path
) -> None:
    app = make_app(samples=False)
    with pytest.raises(UserError, match="does not exist"):
        app.media.evaluate(TASK, "no-such-version", str(tmp_path / "none.csv"))
    with pytest.raises(UserError, match="is a folder, not a file"):
        app.media.decoded(tmp_path, TASK)


def test_a_row_that_names_such_a_file_is_passed_over(ws: Workspace, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png())
    (tmp_path / "m.csv").write_text(f"file_name,text\n{LONG}.png,one\na.png,two\n")
    report = import_source(ws, str(tmp_path / "m.csv"), TASK)
    assert report.items == 1 and [s.reason for s in report.skipped] == [f"{LONG}.png is missing."]


def test_what_cannot_be_looked_into_or_has_gone_is_passed_over() -> None:
    files = list(
        files_below(Path("/proc/self"))
    )  # of threads that end, and of what the system keeps to itself
    assert Path("/proc/self/status") in files
    assert entries(Path("/proc/self/nothing-of-that-name")) == []


def test_a_folder_on_which_others_are_at_work_is_imported(ws: Workspace, tmp_path: Path) -> None:
    """Half of what is named in it is gone when it is looked at: links to nothing, as to /proc/PID."""
    inside = tmp_path / "pictures"
    (inside / "below").mkdir(parents=True)
    (inside / "below" / "d.png").write_bytes(png((1, 99, 9)))
    (inside / "a.png").write_bytes(png())
    (inside / "gone.png").symlink_to(tmp_path / "gone")
    (inside / "b.png").write_bytes(png((9, 9, 9)))
    os.mkfifo(inside / "b.txt")
    (inside / "c.png").write_bytes(png((90, 9, 9)))
    (inside / "c.txt").write_bytes(b"\xff\xfe\x00")
    report = import_source(ws, str(tmp_path / "pictures"), TASK)
    assert report.items == 3 and [s.file for s in report.skipped] == ["c.png"]
