"""A manifest of JSON lines, which `import` reads."""

from __future__ import annotations

import json
from pathlib import Path

from mmdemo.data.exporters.base import EXPORTERS, Exporter, Labels


def write_jsonl(out: Path, labels: Labels) -> Path:
    """metadata.jsonl, one object a line."""
    path = out / "metadata.jsonl"
    with path.open("w", encoding="utf-8") as f:
        for label in labels:
            f.write(json.dumps(label.columns(), ensure_ascii=False) + "\n")
    return path


EXPORTERS.add("jsonl", Exporter("a manifest, one JSON object a line", 100, write_jsonl))
