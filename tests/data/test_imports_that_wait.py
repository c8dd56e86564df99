"""An import that was paused or broken off: who goes on with it, what is said of it meanwhile, and how long
its upload stays.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from mmdemo.data.import_job import ImportJob
from mmdemo.data.import_report import ImportReport
from mmdemo.data.importing import Order
from mmdemo.errors import StorageError, UserError
from mmdemo.service.app import App
from mmdemo.service.exchange import batch_folder, remove_batch
from mmdemo.store.workspace import Workspace
from tests.conftest import TASK
from tests.data.conftest import picture
from tests.full_disk import full_disk

COUNT = 20  # pictures


def quiet(done: int, total: int | None) -> None:
    """Nobody looks on."""


def pictures(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for number in range(COUNT):
        (folder / f"{number}.png").write_bytes(picture(number))
    return folder


def paused(job: ImportJob, order: Order) -> None:
    """Import until the first rows are written, and pause."""
    job.run(order, lambda done, total: job.pause())
    assert job.state()["status"] == "paused"


def upload(folder: Path) -> Order:
    pictures(folder / "in")
    return Order(str(folder / "in"), TASK, uploaded=str(folder))


def test_an_upload_whose_import_meets_a_full_disk_stays_until_that_is_gone_on_with(
    ws: Workspace, tmp_path: Path
) -> None:
    gone: list[Path] = []
    job, order = ImportJob(ws, gone.append), upload(tmp_path / "upload")
    with full_disk(2000), pytest.raises(StorageError):
        job.run(order, quiet)
    state = job.state()
    assert state["status"] == "broken-off" and "Resume it to go on" in state["why"] and gone == []
    assert job.run_on(quiet).items == COUNT
    assert gone == [tmp_path / "upload"] and job.state()["status"] == "done"
    unnoted = upload(tmp_path / "unnoted")
    with full_disk(10), pytest.raises(StorageError):  # not even a note of it fits
        job.run(unnoted, quiet)
    assert gone[1:] == [tmp_path / "unnoted"] and job.state()["status"] == "done"


def test_an_upload_goes_when_its_import_is_given_up(ws: Workspace, tmp_path: Path) -> None:
    gone: list[Path] = []
    job = ImportJob(ws, gone.append)
    paused(job, upload(tmp_path / "first"))
    job.stop()
    assert gone == [tmp_path / "first"] and job.state()["status"] == "done"
    paused(job, upload(tmp_path / "second"))
    assert gone == [tmp_path / "first"]
    job.run(Order(str(pictures(tmp_path / "third")), TASK), quiet)
    assert gone == [tmp_path / "first", tmp_path / "second"]


def test_no_folder_goes_that_is_none_of_this_processs_uploads(tmp_path: Path) -> None:
    mine = batch_folder("removed0batch")
    for folder in (pictures(mine), pictures(tmp_path / "home")):
        remove_batch(folder)
    assert not mine.exists() and len(list((tmp_path / "home").iterdir())) == COUNT


def test_of_several_that_resume_an_import_at_once_one_goes_on(ws: Workspace, tmp_path: Path) -> None:
    paused(ImportJob(ws), Order(str(pictures(tmp_path / "in")), TASK))
    jobs = [ImportJob(ws) for _ in range(4)]  # each has a lock of its own, as processes have
    together = Barrier(len(jobs))

    def resume(job: ImportJob) -> ImportReport | str:
        together.wait()
        try:
            return job.run_on(quiet)
        except UserError as e:
            return str(e)

    with ThreadPoolExecutor(len(jobs)) as pool:
        told = list(pool.map(resume, jobs))
    (report,) = [one for one in told if isinstance(one, ImportReport)]
    assert report.items == COUNT
    refusals = ("No import waits. ", "in is being imported already. ")
    assert all(str(one).startswith(refusals) for one in told if one is not report)
    assert len(ws.imports.listed(TASK, 9)) == 1


def test_this_process_begins_no_second_import_while_it_has_one_on(ws: Workspace, tmp_path: Path) -> None:
    job, other = ImportJob(ws), Order(str(pictures(tmp_path / "other")), TASK)
    refused: list[str] = []

    def second(done: int, total: int | None) -> None:
        with pytest.raises(UserError, match="in is being imported already"):
            job.run(other, quiet)
        refused.append(str(job.state()["name"]))

    report = job.run(Order(str(pictures(tmp_path / "in")), TASK), second)
    assert set(refused) == {"in"} and report.items == COUNT and job.state()["status"] == "done"


def stopped_elsewhere(other: ImportJob) -> None:
    other.stop()


def gone_on_elsewhere(other: ImportJob) -> None:
    other.run_on(quiet)


@pytest.mark.parametrize("elsewhere", [stopped_elsewhere, gone_on_elsewhere])
def test_an_import_that_another_process_has_ended_is_not_called_paused(
    ws: Workspace, tmp_path: Path, elsewhere: Callable[[ImportJob], None]
) -> None:
    job = ImportJob(ws)
    paused(job, Order(str(pictures(tmp_path / "in")), TASK))
    elsewhere(ImportJob(ws))
    assert job.state() == {"status": "none"}


def test_a_source_is_found_again_from_another_folder(
    make_app: Callable[..., App], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app("waits", samples=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    pictures(tmp_path / "here")
    for named in ("here", "~/here", str(Path("elsewhere", "..", "here"))):
        monkeypatch.chdir(tmp_path)
        app.data.run_import(Order(named, TASK), lambda done, total: app.context.imports.pause())
        assert app.context.imports.state()["status"] == "paused"
        monkeypatch.chdir(tmp_path / "elsewhere")
        assert app.data.go_on_importing(quiet).rows == COUNT
