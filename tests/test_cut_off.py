"""What is left of a command that is ended in its middle, by Ctrl-C, SIGTERM or kill -9: nothing half-made."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mmdemo.command_line import main
from mmdemo.command_line.exit_status import INTERRUPTED, TERMINATED
from mmdemo.data.exporters.base import EXPORTERS, Exporter
from mmdemo.settings import ASSETS, load_settings
from mmdemo.store.backup import DATABASE
from mmdemo.store.unfinished import PREFIX, put, unfinished
from mmdemo.store.workspace import Workspace
from tests.conftest import png

LARGE = 200_000_000  # bytes that take longer to copy than to notice that they are being copied


@pytest.fixture(autouse=True, scope="module")
def plain() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as variables:
        variables.setenv("MMDEMO_DEVICE", "cpu")
        variables.setenv("MMDEMO_SAMPLES", "false")
        variables.delenv("MMDEMO_WORKSPACE", raising=False)
        yield


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of such a folder."""
    folder = fill(tmp_path_factory.mktemp("archive"))
    assert main(["backup", str(folder / "b.zip"), "--workspace", str(folder / "w")]) == 0
    return folder / "b.zip"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one labelled picture in the workspace `w`, and a large file beside it."""
    return fill(tmp_path)


def fill(tmp_path: Path) -> Path:
    (tmp_path / "a.png").write_bytes(png())
    (tmp_path / "m.csv").write_text("file_name,text\na.png,red\n")
    space = ["--workspace", str(tmp_path / "w")]
    assert main(["import", str(tmp_path / "m.csv"), "--verdict", "match", *space]) == 0
    with (tmp_path / "w" / "media" / "large.bin").open("wb") as file:
        file.truncate(LARGE)
    return tmp_path


def ended(how: signal.Signals, begun: Callable[[], bool], *arguments: str) -> subprocess.Popen[str]:
    """A command that was sent a signal as soon as it had begun."""
    command = [sys.executable, "-m", "mmdemo", *arguments]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ASSETS.parent
    )
    while not begun():
        assert process.poll() is None, process.communicate()
    process.send_signal(how)
    out, err = process.communicate(timeout=60)
    assert (out, err) == ("", "")
    return process


def left(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.startswith((PREFIX, ".part-"))]


@pytest.mark.parametrize(
    ("how", "status"), [(signal.SIGINT, INTERRUPTED), (signal.SIGTERM, TERMINATED), (signal.SIGKILL, -9)]
)
def test_a_backup_that_is_cut_off_leaves_nothing_or_what_the_next_one_removes(
    folder: Path, how: signal.Signals, status: int
) -> None:
    out = folder / "to" / "b.zip"
    out.parent.mkdir()

    def begun() -> bool:
        return any(part.stat().st_size > 1_000_000 for part in out.parent.glob(f"{PREFIX}*/*.zip"))

    arguments = ["backup", str(out), "--workspace", str(folder / "w")]
    assert ended(how, begun, *arguments).returncode == status
    assert not out.exists() and bool(left(folder)) == (how == signal.SIGKILL)
    (folder / "w" / "media" / "large.bin").unlink()
    assert main(arguments) == 0 and zipfile.is_zipfile(out) and not left(folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "status"), [(signal.SIGINT, INTERRUPTED), (signal.SIGTERM, TERMINATED), (signal.SIGKILL, -9)]
)
def test_a_restore_that_is_cut_off_leaves_no_workspace_and_can_be_done_again(
    archive: Path, tmp_path: Path, how: signal.Signals, status: int
) -> None:
    new = tmp_path / "to" / "v"
    new.parent.mkdir()

    def begun() -> bool:
        return any(new.parent.glob(f"{PREFIX}*/workspace/media/*"))

    arguments = ["restore", str(archive), "--workspace", str(new)]
    assert ended(how, begun, *arguments).returncode == status
    assert not new.exists() and bool(left(tmp_path)) == (how == signal.SIGKILL)
    assert main(arguments) == 0 and (new / DATABASE).exists() and not left(tmp_path)


def test_what_a_killed_process_has_left_is_gone_at_the_next_start(tmp_path: Path) -> None:
    for beside in (tmp_path, tmp_path / "w"):
        (beside / f"{PREFIX}x" / "media").mkdir(parents=True)
    old, new = (tmp_path / "w" / "media" / "ab" / f".part-{name}" for name in ("old", "new"))
    old.parent.mkdir(parents=True)
    for part in (old, new):
        part.touch()
    os.utime(old, (0, 0))
    with unfinished(tmp_path) as held:
        workspace = Workspace(load_settings({}, workspace=tmp_path / "w", samples=False))
        workspace.remove_abandoned()
        workspace.close()
        assert left(tmp_path) == [held, new]  # the one is worked in, the other may be
    assert left(tmp_path) == [new]


def test_an_export_that_cannot_be_written_to_its_end_leaves_nothing(folder: Path) -> None:
    def write(out: Path, labels: object) -> Path:
        (out / "half").touch()
        raise OSError(28, os.strerror(28))

    EXPORTERS.add("half", Exporter("half of it", 900, write))
    try:
        arguments = ["--format", "half", "--workspace", str(folder / "w")]
        (folder / "empty").mkdir()
        for out in (folder / "new", folder / "empty"):
            assert main(["export", str(out), *arguments]) == 1
        assert not (folder / "new").exists() and not any((folder / "empty").iterdir()) and not left(folder)
    finally:
        EXPORTERS.remove("half")
    for out in (folder / "new", folder / "empty"):
        assert main(["export", str(out), "--format", "jsonl", "--workspace", str(folder / "w")]) == 0
        assert {path.name for path in out.iterdir()} >= {"media"} and not left(folder)


def test_what_cannot_be_moved_whole_is_taken_away_again(tmp_path: Path) -> None:
    for name in ("made", "out"):
        (tmp_path / name).mkdir()
    (tmp_path / "made" / "a").touch()
    (tmp_path / "made" / "b").touch()
    (tmp_path / "out" / "b").mkdir()
    (tmp_path / "out" / "b" / "b").touch()
    with pytest.raises(FileExistsError):
        put(tmp_path / "made", tmp_path / "out")
    assert not (tmp_path / "out" / "a").exists() and (tmp_path / "out" / "b" / "b").exists()


def test_a_backup_is_restored_into_a_folder_that_is_empty_and_into_no_other(folder: Path) -> None:
    (folder / "w" / "media" / "large.bin").unlink()
    assert main(["backup", str(folder / "b.zip"), "--workspace", str(folder / "w")]) == 0
    (folder / "empty" / "media").mkdir(parents=True)
    assert main(["restore", str(folder / "b.zip"), "--workspace", str(folder / "empty")]) == 0
    (folder / "kept" / "media").mkdir(parents=True)
    (folder / "kept" / "media" / "mine").touch()
    assert main(["restore", str(folder / "b.zip"), "--workspace", str(folder / "kept")]) == 2
    assert (folder / "kept" / "media" / "mine").exists()


@pytest.mark.slow
def test_a_served_page_that_is_terminated_closes_and_leaves_no_folder_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    served = subprocess.Popen(
        [sys.executable, "app.py", "--workspace", str(tmp_path / "w")],
        cwd=ASSETS.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert served.stderr is not None
        assert any("mmdemo is at" in line for line in served.stderr)
        served.send_signal(signal.SIGTERM)
        out, err = served.communicate(timeout=60)
        assert served.returncode == TERMINATED and "Traceback" not in out + err and not left(tmp_path)
    finally:
        served.kill()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["backup", ""], "out is empty. Write a new zip"),
        (["export", ""], "out is empty. Write a new folder"),
        (["import", ""], "path is empty."),
        (["caption", ""], "file is empty."),
        (["restore", ""], "Argument archive: it is empty"),
        (["settings", "--workspace", ""], "Argument --workspace: it is empty"),
        (["models", "export", "v", "--out", ""], "Argument --out: it is empty"),
    ],
)
def test_a_path_that_is_empty_is_refused_in_a_line_and_is_not_the_folder_one_stands_in(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    told = capsys.readouterr()
    assert says in told.err and told.err.count("\n") == 1 and told.out == ""
    assert not list(tmp_path.iterdir())
