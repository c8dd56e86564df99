"""python -m mmdemo, and the command mmdemo."""

from __future__ import annotations

import sys
import warnings


def main() -> int:
    """The command; returns its exit status. Ctrl-C is quiet from the first import on."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # of libraries: they come between whoever asks and the answer
    try:
        from mmdemo.command_line import main as run

        return run()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
