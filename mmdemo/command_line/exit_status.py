"""How a command ends: its exit status, and one line on standard error where something was wrong."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mmdemo.errors import MmdemoError, UserError

FAULT = 1  # of mmdemo's, of the disk, or of what is kept
INTERRUPTED, TERMINATED = 130, 143  # the exit status of what Ctrl-C or SIGTERM has ended, as of shells


def exit_status(run: Callable[[], int | None]) -> int:
    """Run something and say in one line on standard error what was wrong; returns the exit status, which is
    what it returns where nothing was.
    """
    try:
        with _ended_by_sigterm():
            return run() or 0
    except UserError as e:
        print(f"mmdemo: {e}", file=sys.stderr)
        return 2
    except MmdemoError as e:
        print(f"mmdemo: {e}", file=sys.stderr)
        return FAULT
    except KeyboardInterrupt:
        return INTERRUPTED


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Within this block SIGTERM ends the process as sys.exit does, so that nothing half-made stays."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: Any) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it is ending: once more would cut that short
        sys.exit(TERMINATED)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
