"""How what runs behind the page is ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

CLOSE_S = 10.0  # for all together: a batch of a large model on a busy machine


def close_all(made: Sequence[Any]) -> None:
    """Close what can be closed, all at the same time: each may wait for a thread that is in the middle of
    something.
    """
    threads = [
        threading.Thread(target=one.close, name="mmdemo-close", daemon=True)
        for one in made
        if hasattr(one, "close")
    ]
    for thread in threads:
        thread.start()
    until_s = time.monotonic() + CLOSE_S
    for thread in threads:
        thread.join(max(0.0, until_s - time.monotonic()))
