"""Records for Argilla (docs.argilla.io)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmdemo.data.exporters.base import EXPORTERS, ExportedLabel, Exporter, write_json


def write_argilla(out: Path, labels: Sequence[ExportedLabel]) -> Path:
    """records.json: fields, and the verdict and corrected text as responses.

    A picture is an ImageField; Argilla has none for other files, which are a CustomField with a template such
    as <audio controls src="{{record.fields.audio.file}}">.
    """
    return write_json(out / "records.json", [_record(label) for label in labels])


def _record(label: ExportedLabel) -> dict[str, Any]:
    who = label.annotator or "annotator"
    answers = {"verdict": label.verdict} | ({"text": label.corrected_text} if label.corrected_text else {})
    medium = label.file_name if label.key == "image" else {"file": label.file_name}
    span = {"start": label.start, "end": label.end}
    return {
        "id": str(label.label),
        "fields": {label.key: medium, "text": label.text},
        "metadata": {"split": label.split, "source": label.source, "item": label.item}
        | {name: seconds for name, seconds in span.items() if seconds is not None},
        "responses": {name: [{"value": value, "user_id": who}] for name, value in answers.items()},
    }


EXPORTERS.add("argilla", Exporter("records for Argilla", 320, write_argilla))
