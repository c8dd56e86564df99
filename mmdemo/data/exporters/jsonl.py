"""A manifest of JSON lines, which `import` reads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from mmdemo.data.exporters.base import EXPORTERS, ExportedLabel, Exporter


def write_jsonl(out: Path, labels: Sequence[ExportedLabel]) -> Path:
    """metadata.jsonl, one object a line."""
    path = out / "metadata.jsonl"
    lines = (json.dumps(vars(label), ensure_ascii=False) + "\n" for label in labels)
    path.write_text("".join(lines), encoding="utf-8")
    return path


EXPORTERS.add("jsonl", Exporter("a manifest, one JSON object a line", 100, write_jsonl))
