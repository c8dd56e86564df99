"""How what runs behind the page is ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

# For all together, the connections of a served page with it: that must be over within so much that the
# database is released too (`command_line/ending.py`).
CLOSE_S = 7.0


def closing_ends_s() -> float:
    """When what begins to be closed now is waited for no longer, in monotonic seconds."""
    return time.monotonic() + CLOSE_S


def left_s(until_s: float) -> float:
    """Seconds until then; 0.0 when it is over."""
    return max(0.0, until_s - time.monotonic())


def close_all(made: Sequence[Any], until_s: float | None = None) -> None:
    """Close what can be closed, all at the same time: each may wait for a thread that is in the middle of
    something. One may be used by another that is not at its end yet: what is closed answers still, and only
    begins nothing.

    Args:
        made: what was made.
        until_s: monotonic seconds at which it is left as it is; None: `CLOSE_S` from now.
    """
    until_s = closing_ends_s() if until_s is None else until_s
    threads = [
        threading.Thread(target=one.close, name="mmdemo-close", daemon=True)
        for one in made
        if hasattr(one, "close")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(left_s(until_s))
