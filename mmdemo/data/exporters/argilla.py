"""Records for Argilla (docs.argilla.io)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmdemo.data.exporters.base import EXPORTERS, ExportedLabel, Exporter, write_json


def write_argilla(out: Path, labels: Sequence[ExportedLabel]) -> Path:
    """records.json: fields, and the verdict and corrected text as responses."""
    return write_json(out / "records.json", [_record(label) for label in labels])


def _record(label: ExportedLabel) -> dict[str, Any]:
    who = label.annotator or "annotator"
    answers = {"verdict": label.verdict} | ({"text": label.corrected_text} if label.corrected_text else {})
    return {
        "id": str(label.label),
        "fields": {"image": label.file_name, "text": label.text},
        "metadata": {"split": label.split, "source": label.source, "item": label.item},
        "responses": {name: [{"value": value, "user_id": who}] for name, value in answers.items()},
    }


EXPORTERS.add("argilla", Exporter("records for Argilla", 320, write_argilla))
