"""Tasks for Label Studio (labelstud.io/guide/tasks)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmdemo.data.exporters.base import EXPORTERS, ExportedLabel, Exporter, write_json


def write_label_studio(out: Path, labels: Sequence[ExportedLabel]) -> Path:
    """tasks.json for Label Studio's import, each with a finished annotation. A file stands under what it
    is called, as its tag in the labelling interface does: <Audio name="audio" value="$audio"/>.
    """
    return write_json(out / "tasks.json", [_task(label) for label in labels])


def _task(label: ExportedLabel) -> dict[str, Any]:
    result = [_result("verdict", label.key, "choices", label.verdict)]
    if label.corrected_text:
        result.append(_result("text", label.key, "textarea", label.corrected_text))
    span = {"start": label.start, "end": label.end}
    return {
        "data": {label.key: label.file_name, "text": label.text, "split": label.split}
        | {name: seconds for name, seconds in span.items() if seconds is not None},
        "annotations": [{"result": result, "completed_by": {"email": label.annotator}}],
    }


def _result(name: str, tag: str, control: str, value: str) -> dict[str, Any]:
    key = {"choices": "choices", "textarea": "text"}[control]
    return {"from_name": name, "to_name": tag, "type": control, "value": {key: [value]}}


TAGS = frozenset({"image", "audio", "video"})  # of its labelling interface
ABOUT = "finished tasks for Label Studio"
EXPORTERS.add("label-studio", Exporter(ABOUT, 310, write_label_studio, TAGS))
