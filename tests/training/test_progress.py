"""The curves of a run are read whatever stands in their file."""

from __future__ import annotations

from mmdemo.store.workspace import Workspace
from mmdemo.training.progress import PROGRESS, read_progress


def test_lines_that_are_no_records_are_passed_over(ws: Workspace) -> None:
    folder = ws.run_folder("run-1")
    folder.mkdir()
    odd = [
        '{"epoch": 1, "recall": 5}',
        "[" * 100_000,
        "[1]",
        "{}",
        '{"epoch": "a"}',
        "null",
        '{"epoch": 2',
        '{"epoch": 2, "loss": "x"}',
        '{"epoch": 2, "loss": [1]}',
        '{"epoch": 2, "loss": 1e999}',
        "x",
    ]
    (folder / PROGRESS).write_text("\n".join([*odd, '{"epoch": 3, "loss": 1}']))
    assert read_progress(ws, "run-1") == [
        {"epoch": 1, "validation_recall": 5},
        {"epoch": 3, "loss": 1},
    ]
