"""A page that is ended closes what is open, and its process is over soon, whatever it computes."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from mmdemo.command_line.exit_status import INTERRUPTED, TERMINATED

PAGE = """
import threading, time
from mmdemo.command_line.ending import ended_within
threading.Thread(target=time.sleep, args=(60,)).start()  # a call that is being computed
with ended_within({most_s}):
    try:
        print("served", flush=True)
        time.sleep(60)
    finally:
        print("closed", flush=True)
        time.sleep({closes_s})
"""


@pytest.mark.parametrize(("how", "status"), [(signal.SIGINT, INTERRUPTED), (signal.SIGTERM, TERMINATED)])
@pytest.mark.parametrize(("most_s", "closes_s"), [(30, 0), (0.1, 60)], ids=["it computes", "it cannot close"])
def test_a_process_that_is_ended_is_over_though_a_thread_computes(
    how: signal.Signals, status: int, most_s: float, closes_s: float
) -> None:
    code = PAGE.format(most_s=most_s, closes_s=closes_s)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as page:
        try:
            assert page.stdout is not None and page.stdout.readline() == "served\n"
            page.send_signal(how)
            assert closes_s or page.stdout.readline() == "closed\n"  # what cannot close may be left before
            assert page.wait(20) == status
        finally:
            page.kill()
