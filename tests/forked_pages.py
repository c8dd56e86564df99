"""Serves the page in one process after another, each forked from this one, which has imported everything: a
server that was killed is there again in a second.

    python -m tests.forked_pages

Each line on standard input starts one, by the variables of this process; its id is printed.
"""

from __future__ import annotations

import os
import signal
import sys

import torch  # noqa: F401  imported once for all of them, as what follows

import mmdemo.labeling.queue
import mmdemo.labeling.side_counts
import mmdemo.labeling.snapshot
import mmdemo.models.load
import mmdemo.retrieval.search
import mmdemo.ui.shell  # noqa: F401
from mmdemo.command_line.serve import serve_page
from mmdemo.registry import load_plugins
from mmdemo.service.operations.table import OPERATIONS
from mmdemo.settings import load_settings


def main() -> None:
    """Start a page for each line."""
    load_plugins()
    list(OPERATIONS)
    for _ in sys.stdin:
        process = os.fork()
        if process == 0:
            os.setsid()  # it is killed with whatever it has started
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what Gradio says there is nobody's answer
            serve_page(load_settings())
            os._exit(0)
        print(process, flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how they ended
    main()
