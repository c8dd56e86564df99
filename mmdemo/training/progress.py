"""The records that a run appends to its folder, an epoch a line."""

from __future__ import annotations

import json
from typing import Any

from mmdemo.store.workspace import Workspace


def read_progress(ws: Workspace, run_id: str) -> list[dict[str, Any]]:
    """The records of the epochs so far; of equal epochs, as after a resume, the last counts."""
    path = ws.run_folder(run_id) / "progress.jsonl"
    records: dict[int, dict[str, Any]] = {}
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                continue  # a line cut off by a kill
            records[record["epoch"]] = record
    return [records[epoch] for epoch in sorted(records)]
