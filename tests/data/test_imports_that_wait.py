"""An import that was paused or broken off: who goes on with it, what is said of it meanwhile, and how long
its upload stays.
"""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier

import pytest

from mmdemo.data.import_job import ImportJob
from mmdemo.data.import_ledger import Ledger
from mmdemo.data.import_report import ImportReport
from mmdemo.data.importing import Before, Order, Watch, carry_out, import_source
from mmdemo.data.reading import ASKED_EVERY
from mmdemo.errors import StorageError, UserError
from mmdemo.service.app import App
from mmdemo.service.exchange import batch_folder, remove_batch
from mmdemo.store.source_files import key_of, note_in
from mmdemo.store.tables import SourceFile
from mmdemo.store.texts import text_key
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


def ledger_of(ws: Workspace) -> Path:
    (found,) = (ws.folder / "imports").glob("*.sqlite3")
    return found


def overwritten(ledger: Path) -> None:
    ledger.write_bytes(b"a disk that lost what was written" * 400)


def cut_off(ledger: Path) -> None:
    ledger.write_bytes(ledger.read_bytes()[:5000])


def behind(ledger: Path) -> None:
    """As a power cut leaves it that took what was written last."""
    with closing(sqlite3.connect(ledger)) as file, file:
        file.execute("UPDATE reached SET at = at - 1")


@pytest.mark.parametrize("lose", [overwritten, cut_off, behind, Path.unlink])
def test_an_import_whose_notes_a_power_cut_has_damaged_is_read_from_its_beginning_and_doubles_nothing(
    ws: Workspace, tmp_path: Path, lose: Callable[[Path], None]
) -> None:
    folder = pictures(tmp_path / "in")
    table = [f"{number}.png,picture {number}" for number in range(COUNT)]
    (folder / "metadata.csv").write_text("\n".join(["file_name,text", table[0], *table]))
    paused(ImportJob(ws), Order(str(folder), TASK, "match"))
    lose(ledger_of(ws))
    report = ImportJob(ws).run_on(quiet)
    assert [note for note in report.notes if "damaged or gone" in note] != []
    assert (report.rows, report.rows - len(report.skipped)) == (COUNT + 1, COUNT)
    assert [one.reason for one in report.skipped] == ["The row says no more than row 1."]
    assert (ws.items.count("image"), ws.labels.total(TASK)) == (COUNT, COUNT)


def test_notes_that_a_disk_damages_meanwhile_say_how_to_go_on_and_begin_anew(tmp_path: Path) -> None:
    path = tmp_path / "one.sqlite3"
    ledger = Ledger(path)
    with closing(sqlite3.connect(path)) as disk:
        disk.executescript(
            "PRAGMA writable_schema=ON; UPDATE sqlite_master SET rootpage = 99; PRAGMA schema_version = 99;"
        )
    with pytest.raises(StorageError, match=r"rows is damaged\. Resume the import: it is read from its beg"):
        ledger.said(b"a pair")
    ledger.close(remove=False)
    again = Ledger(path)
    assert again.said(b"a pair") == {} and not again.reaches(1)
    again.close(remove=True)
    assert list(tmp_path.iterdir()) == []


KINDS = ("a cat", "a dog")


def of_kinds(folder: Path, rows: int) -> Path:
    """A table of pictures of two classes; it has more rows than there are pictures."""
    table = [f"{row % COUNT}.png,{KINDS[row % COUNT % 2]}" for row in range(rows)]
    (folder / "metadata.csv").write_text("\n".join(["file_name,text", *table]))
    return folder


def classes(ws: Workspace) -> int:
    return len(ws.pairs.sides.closed(map(text_key, KINDS)))


def test_classes_are_known_where_an_import_was_paused_while_it_looked(ws: Workspace, tmp_path: Path) -> None:
    order = Order(str(of_kinds(pictures(tmp_path / "in"), ASKED_EVERY + 1)), TASK)
    begun: list[str] = []
    watch = Watch(stopped=lambda: True, begun=lambda import_id, total: begun.append(import_id))
    assert carry_out(ws, order, watch).stopped and classes(ws) == 0
    assert carry_out(ws, order, before=Before(begun[0])).items == COUNT and classes(ws) == 2


def test_classes_are_known_where_the_source_has_changed_since_an_import_was_paused(
    ws: Workspace, tmp_path: Path
) -> None:
    folder, job, totals = pictures(tmp_path / "in"), ImportJob(ws), []
    paused(job, Order(str(folder), TASK))
    of_kinds(folder, 3 * COUNT)
    (folder / "0.png").unlink()
    report = job.run_on(lambda done, total: totals.append(total))
    assert any("it was read from its beginning" in note for note in report.notes)
    assert classes(ws) == 2 and set(totals) == {3 * COUNT}


def noted(ws: Workspace, folder: Path, name: str) -> None:
    """Have a name that an import has noted, as of a file system that has longer ones."""
    files = {file.name: file for file in next(ws.source_files.each(ws.folders.id_of(folder)))}
    of = files["0.png"]
    told = {"item_id": of.item_id, "bytes": of.bytes, "mtime_ns": of.mtime_ns, "outside": False}
    with ws.database.write() as session:
        note_in(session, [SourceFile(folder=of.folder, key=key_of(name), name=name, **told)])


def test_an_import_ends_whatever_it_cannot_look_for(ws: Workspace, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "in")
    import_source(ws, str(folder), TASK)
    noted(ws, folder, "long" * 100)
    (folder / "3.png").unlink()
    report = import_source(ws, str(folder), TASK)
    assert report.gone == ["3.png"] and report.renamed == [("long" * 100, "0.png")]


def test_it_can_be_paused_while_it_looks_for_what_is_gone(ws: Workspace, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "in")
    import_source(ws, str(folder), TASK)
    for number in range(3, COUNT):
        (folder / f"{number}.png").unlink()
    asked, begun = [0, 0], []

    def stopped(at: int) -> bool:
        asked[0] += 1
        return asked[0] == at

    order = Order(str(folder), TASK)
    carry_out(ws, order, Watch(stopped=lambda: stopped(0)))
    last, asked[0] = asked[0], 0
    begin = Watch(stopped=lambda: stopped(last), begun=lambda import_id, total: begun.append(import_id))
    begin = dataclasses.replace(begin, ledgers=ws.folder / "imports")
    report = carry_out(ws, order, begin)
    assert report.stopped and report.rows == 3 and report.gone == []
    report = carry_out(ws, order, Watch(ledgers=ws.folder / "imports"), Before(begun[0]))
    assert (report.stopped, report.rows, len(report.gone)) == (False, 3, COUNT - 3)
