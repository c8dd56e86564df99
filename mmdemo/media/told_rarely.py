"""What the log hears of files that are damaged: any stranger's may be, and each is decoded many times."""

from __future__ import annotations

import logging
import threading
import time

AGAIN_S = 60.0  # after which the same is told again, with how often it came meanwhile
MOST_KINDS = 200  # of what is told; then what was told first is forgotten


class ToldRarely:
    """Writes a line to a log, and the same one again only after a while.

    Args:
        log: which.
    """

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._told: dict[str, tuple[float, int]] = {}  # when, of the monotonic clock, and how often since

    def tell(self, level: int, line: str, raised: BaseException | None = None) -> None:
        """Say what failed.

        Args:
            level: of logging.
            line: without the name of a file, which is people's; so the same of many.
            raised: told with its traceback, if any.
        """
        now_s = time.monotonic()
        with self._lock:
            at_s, since = self._told.get(line, (now_s - AGAIN_S, 0))
            is_due = now_s - at_s >= AGAIN_S
            self._told.pop(line, None)
            self._told[line] = (now_s, 0) if is_due else (at_s, since + 1)
            if len(self._told) > MOST_KINDS:
                del self._told[next(iter(self._told))]
        if is_due:
            more = f" (and {since} more)" if since else ""
            self._log.log(level, "%s%s", line, more, exc_info=raised)
