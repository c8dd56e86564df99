"""What the table of operations costs: a call through it, beside the plain function that it calls.

    python benchmarks/operations.py

Each of some quick operations is called a thousand times with its request as JSON, checked and parsed, and its
answer made; and the function beneath as often. They take turns, and the least of five rounds counts.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import common  # noqa: F401  puts the project on the path

from mmdemo.asker import OWNER
from mmdemo.service.app import App
from mmdemo.service.operations.table import OPERATIONS
from mmdemo.settings import load_settings
from mmdemo.store.labels import NewLabel
from mmdemo.ui.gate import ask

CALLS, ROUNDS = 1000, 5


def seconds(call: Callable[[], Any]) -> float:
    """What a thousand calls take."""
    begun = time.perf_counter()
    for _ in range(CALLS):
        call()
    return time.perf_counter() - begun


def main() -> None:
    """Print the cost of a call, in microseconds, of several operations."""
    workspace = Path(tempfile.mkdtemp(prefix="mmdemo-benchmark-"))
    app = App(load_settings({}, workspace=workspace, device="cpu"))
    pair = app.ws.pairs.browse("image-text", limit=1)[0].id
    cases: list[tuple[str, dict[str, Any], Callable[[], Any]]] = [
        ("label_counts", {"task": "image-text"}, lambda: app.labels.counts("image-text")),
        ("versions", {"task": "image-text"}, lambda: app.versions.listed("image-text")),
        ("training_status", {"run": ""}, lambda: app.context.jobs.status("")),
        (
            "label",
            {"pair": pair, "verdict": "match", "origin": "api"},
            lambda: app.labels.add(pair, NewLabel("match", version_id=app.settings.model)),
        ),
    ]
    for name, values, plain in cases:
        assert name in OPERATIONS
        took = [
            (seconds(plain), seconds(lambda n=name, v=values: ask(app, n, v, "page", OWNER)))
            for _ in range(ROUNDS)
        ]
        least, through = (min(side) for side in zip(*took, strict=True))
        more = 1e6 * (through - least) / CALLS
        print(f"{name}: {1e6 * least / CALLS:.0f} µs a plain call, {more:+.0f} µs through the table")
    app.close()


if __name__ == "__main__":
    main()
