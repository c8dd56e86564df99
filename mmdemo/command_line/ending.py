"""How a served page ends: it closes what is open, and the process is over within some seconds, whatever its
threads compute. What was acknowledged is on the disk long before.
"""

from __future__ import annotations

import atexit
import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mmdemo.command_line.exit_status import INTERRUPTED, TERMINATED

log = logging.getLogger(__name__)
ENDS_S = 9.0  # after Ctrl-C or SIGTERM; Docker kills after ten. Closing takes less (`service/closing.py`)
STATUS = {signal.SIGINT: INTERRUPTED, signal.SIGTERM: TERMINATED}


@contextmanager
def ended_within(most_s: float = ENDS_S) -> Iterator[None]:
    """Within this block Ctrl-C and SIGTERM end the process, as KeyboardInterrupt and SystemExit at first.

    A thread that computes cannot be stopped, and Python waits for it at its end; one within PyTorch may crash
    there. So once it has closed, the process does what is left for its end and is left without either.

    Args:
        most_s: seconds after which it is left even where something is not closed yet, and without the rest.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def end(number: int, frame: Any) -> None:
        if not came:
            came.append(STATUS[signal.Signals(number)])
            late = threading.Timer(most_s, _leave_late, (came[0],))
            late.daemon = True
            late.start()
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        signal.signal(number, signal.SIG_IGN)  # it is ending: once more would cut that short
        raise SystemExit(TERMINATED)

    before = {number: signal.signal(number, end) for number in STATUS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if came else handler)
        if came:
            atexit._run_exitfuncs()  # temporary folders go, and logs are written; a late leave does not
            os._exit(came[0])


def _leave_late(status: int) -> None:
    """Leave the process, whose time to close is over, as it is: what was left for the end of Python is not
    done, so temporary folders stay.
    """
    log.warning("Something computes still and is left as it is.")
    os._exit(status)
