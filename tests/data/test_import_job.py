"""An import behind the page: it can be paused, and goes on where it was, also after a kill."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mmdemo.data import import_job
from mmdemo.data.import_job import ImportJob
from mmdemo.data.importing import Order
from mmdemo.errors import UserError
from mmdemo.service.app import App
from mmdemo.service.operations.table import ask
from mmdemo.settings import Settings
from mmdemo.store.workspace import Workspace
from tests.conftest import TASK
from tests.data.conftest import picture
from tests.waiting import wait_for

IMPORTING = """
import sys
from mmdemo.data.import_job import ImportJob
from mmdemo.data.importing import Order
from mmdemo.settings import load_settings
from mmdemo.store.workspace import Workspace

workspace, source, url, bound = sys.argv[1:]
ws = Workspace(load_settings({}, workspace=workspace, samples=False, database_url=url))

def progress(done, total):
    print(done, flush=True)
    if done >= int(bound):
        sys.stdin.read()  # until it is killed

print(ImportJob(ws).run(Order(source, "image-text", "match"), progress).rows, flush=True)
"""


def many(folder: Path, count: int, first: int = 0) -> Path:
    """Pictures with a table; one line names a picture that is not there, one says the same twice."""
    folder.mkdir(exist_ok=True)
    lines = []
    for number in range(first, first + count):
        (folder / f"{number:04}.png").write_bytes(picture(number))
        lines.append(f"{number:04}.png,picture number {number}")
    lines[3:3] = ["none.png,a picture that is not there", lines[0]]
    (folder / "metadata.csv").write_text("\n".join(["file_name,text", *lines]))
    return folder


def killed_at(rows: int, workspace: Path, source: Path, url: str = "") -> int:
    """Import in a process of its own, and kill it when so many rows are done; returns how many were told."""
    command = [sys.executable, "-c", IMPORTING, str(workspace), str(source), url, str(rows)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        told = 0
        while told < rows:
            told = int(other.stdout.readline())
        os.kill(other.pid, signal.SIGKILL)
    return told


def test_an_import_that_was_killed_goes_on_where_it_was_and_doubles_no_row(
    settings: Settings, database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mine = replace(settings, database_url=database_url)
    source = many(tmp_path / "in", 150)
    told = killed_at(20, mine.workspace, source, database_url)
    ws = Workspace(mine)
    job = ImportJob(ws)
    state = job.state()
    assert (state["status"], state["name"], state["total"]) == ("broken-off", "in", 152)
    assert told <= state["done"] < 152 and state["why"].startswith("The import of in was broken off after ")
    with caplog.at_level(logging.WARNING):
        job.tell_broken_off()
    assert [r.getMessage() for r in caplog.records if r.name == import_job.__name__] == [state["why"]]
    asked: list[int] = []
    report = job.run_on(lambda done, total: asked.append(done))
    assert asked[0] > told  # it begins after what was done
    whole = (report.rows, report.imported, report.items, report.pairs, report.labels)
    assert whole == (152, 150, 150, 150, 150) and report.known == 0
    assert [(s.row, s.reason) for s in report.skipped] == [
        (4, "none.png is missing."),
        (5, "The row says no more than row 1."),
    ]
    assert (ws.items.count("image"), ws.labels.total(TASK)) == (150, 150)
    ended = job.state()
    assert (ended["status"], ended["error"], ended["report"]["rows"]) == ("done", "", 152)
    assert ImportJob(ws).state() == {"status": "none"}
    with pytest.raises(UserError, match="No import waits"):
        job.run_on(lambda done, total: None)
    ws.close()


def test_one_whose_source_has_changed_is_read_from_its_beginning_and_doubles_nothing(
    settings: Settings, tmp_path: Path
) -> None:
    killed_at(20, settings.workspace, many(tmp_path / "in", 60))
    table = tmp_path / "in" / "metadata.csv"
    table.write_text(table.read_text().replace("file_name,text\n", "file_name,text\n0059.png,another text\n"))
    ws = Workspace(settings)
    report = ImportJob(ws).run_on(lambda done, total: None)
    assert any("it was read from its beginning" in note for note in report.notes)
    assert (report.rows, ws.items.count("image"), ws.labels.total(TASK)) == (63, 60, 61)
    ws.close()


def test_it_pauses_and_resumes_from_any_process_and_tells_how_long_it_will_take(
    app: App, tmp_path: Path
) -> None:
    before = app.ws.items.count("image")
    ask(app, "import_start", source=str(many(tmp_path / "in", 300)), task=TASK)
    job = app.context.imports
    wait_for(lambda: job.state().get("done", 0) > 0)
    ImportJob(app.ws).pause()  # as `mmdemo import-pause` does
    wait_for(lambda: ask(app, "import_state")["status"] == "paused")
    waits = ask(app, "import_state")
    assert 0 < waits["done"] < 302 and "Resume it to go on from there" in waits["why"]
    assert app.ws.items.count("image") - before <= waits["done"]
    resumed = ask(app, "import_resume")
    assert resumed["status"] == "running" and resumed["done"] == waits["done"]
    with pytest.raises(UserError, match="in is being imported already"):
        ask(app, "import_start", source=str(tmp_path / "in"), task=TASK)
    etas: list[float] = []
    wait_for(lambda: _noted(etas, ask(app, "import_state")) == "done")
    report = ask(app, "import_state")["report"]
    assert (report["items"], report["pairs"], report["skipped_rows"]) == (300, 300, 2)
    assert app.ws.items.count("image") - before == 300


def _noted(etas: list[float], state: dict[str, object]) -> str:
    if isinstance(state["eta_s"], float):
        etas.append(state["eta_s"])
    return str(state["status"])


def test_one_that_is_stopped_keeps_what_it_has_and_is_not_gone_on_with(app: App, tmp_path: Path) -> None:
    ask(app, "import_start", source=str(many(tmp_path / "in", 300)), task=TASK)
    wait_for(lambda: app.context.imports.state().get("done", 0) > 0)
    ask(app, "import_pause")
    wait_for(lambda: ask(app, "import_state")["status"] == "paused")
    ask(app, "import_stop")
    assert ask(app, "import_state")["status"] == "done"
    with pytest.raises(UserError, match="No import waits"):
        ask(app, "import_resume")
    with pytest.raises(UserError, match="No import is on"):
        ask(app, "import_pause")
    assert list((app.ws.folder / "imports").glob("*.sqlite3")) == []


def test_the_note_of_an_import_is_no_part_of_a_backup(ws: Workspace, tmp_path: Path) -> None:
    order = Order(str(many(tmp_path / "in", 5)), TASK)
    ImportJob(ws).run(order, lambda done, total: None)
    import zipfile

    from mmdemo.store.backup import back_up

    with zipfile.ZipFile(back_up(ws, tmp_path / "b.zip")) as archive:
        names = {name.partition("/")[0] for name in archive.namelist()}
    assert names <= {"mmdemo.sqlite3", "media", "vectors", "versions", "runs"}
