"""An import behind the page."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mmdemo.data.import_job import ImportJob
from mmdemo.data.importing import ImportReport
from tests.waiting import wait_for

BEGUN = """
import sys, time
from pathlib import Path
from mmdemo.data.import_job import ImportJob

def work(progress, stopped):
    progress(220, None)
    print("220 rows", flush=True)
    time.sleep(600)

ImportJob(Path(sys.argv[1])).start("holiday", "image-text", 1200, work, lambda: None)
time.sleep(600)
"""


def test_an_import_that_was_killed_is_told_of_until_the_next_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BEGUN, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None and other.stdout.readline() == "220 rows\n"
        beside = ImportJob(tmp_path)
        assert beside.state() == {"status": "none"}  # it is on yet
        other.kill()
    says = "The import of holiday was broken off after 220 of 1200 rows. Import it again: "
    for job in (beside, ImportJob(tmp_path)):
        assert job.state()["task"] == "image-text" and job.state()["error"].startswith(says)
    with caplog.at_level(logging.WARNING):
        job.tell_broken_off()
    assert caplog.messages[0].startswith(says)
    go = threading.Event()
    job.start(
        "holiday",
        "image-text",
        1,
        lambda progress, stopped: ImportReport(items=int(go.wait(30))),
        lambda: None,
    )
    assert job.state()["status"] == "running" and ImportJob(tmp_path).state() == {"status": "none"}
    go.set()
    wait_for(lambda: job.state()["status"] == "done")
    assert job.state()["report"]["items"] == 1 and not job.state()["error"]
    job.tell_broken_off()
    assert ImportJob(tmp_path).state() == {"status": "none"} and len(caplog.messages) == 1
