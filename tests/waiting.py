"""How tests wait for what another process does: one way to look again and again, with an end to it."""

from __future__ import annotations

import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

OFTEN_S = 0.05  # how soon is looked again


def wait_for(condition: Callable[[], object], seconds: float = 120.0, told: Callable[[], str] = str) -> None:
    """Look again and again until something is so.

    Args:
        condition: whether it is; what it raises fails the test at once.
        seconds: after which the test fails.
        told: what to say then.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"it took over {seconds:g} s {told()}"
        time.sleep(OFTEN_S)


def wait_for_page(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a page that is starting answers; what its process has logged says why it does not."""

    def answers() -> bool:
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except OSError:
            assert server.poll() is None, log.read_text()
            return False
        return True

    wait_for(answers, told=log.read_text)


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens at."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])
