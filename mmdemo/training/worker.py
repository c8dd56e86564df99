"""The background worker: a process of its own that carries out one run after another.

    python -m mmdemo.training.worker

It reads a run's id a line from its standard input, works, and ends when the input does: with the page's
process gone it finishes what it has begun and no more. Nothing else passes between the two; progress,
results and stop requests are on disk, so a page that comes later sees them as well.
"""

from __future__ import annotations

import logging
import sys

from mmdemo.errors import MmdemoError
from mmdemo.models.aligner import Towers
from mmdemo.models.manager import ModelManager, version_source
from mmdemo.settings import load_settings
from mmdemo.store.workspace import Workspace
from mmdemo.training.runs import execute_slices


def main() -> None:
    """Work until the input ends."""
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s", stream=sys.stderr)
    settings = load_settings()
    ws = Workspace(settings)
    models = ModelManager(settings, ws.versions.active, lambda v: version_source(ws, v))
    import mmdemo.training.head_trainer  # noqa: F401  PyTorch is loaded now, so that the first run need not wait

    for line in sys.stdin:
        run_id = line.strip()
        if run_id:

            def towers(run: str = run_id) -> Towers:
                return models.towers(version_source(ws, ws.runs.get(run).parent).preset)

            try:
                execute_slices(ws, run_id, towers)
            except MmdemoError as e:
                logging.info("%s: %s", run_id, e)  # it was removed while it waited


if __name__ == "__main__":
    main()
