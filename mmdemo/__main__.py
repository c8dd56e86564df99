"""python -m mmdemo, and the command mmdemo."""

from __future__ import annotations

import sys

from mmdemo.command_line import main

if __name__ == "__main__":
    sys.exit(main())
