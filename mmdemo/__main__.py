"""python -m mmdemo, and the command mmdemo."""

from __future__ import annotations

import signal
import sys
import warnings


def main() -> int:
    """The command; returns its exit status. Ctrl-C is quiet from the first import to the end."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # of libraries: they come between whoever asks and the answer
    try:
        from mmdemo.command_line import main as run

        status = run()
    except KeyboardInterrupt:
        status = 130
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is done: Python would tell it at its end
    return status


if __name__ == "__main__":
    sys.exit(main())
