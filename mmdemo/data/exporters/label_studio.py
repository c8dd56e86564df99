"""Tasks for Label Studio (labelstud.io/guide/tasks)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmdemo.data.exporters.base import EXPORTERS, ExportedLabel, Exporter, write_json


def write_label_studio(out: Path, labels: Sequence[ExportedLabel]) -> Path:
    """tasks.json for Label Studio's import, each with a finished annotation."""
    return write_json(out / "tasks.json", [_task(label) for label in labels])


def _task(label: ExportedLabel) -> dict[str, Any]:
    result = [_result("verdict", "choices", label.verdict)]
    if label.corrected_text:
        result.append(_result("text", "textarea", label.corrected_text))
    return {
        "data": {"image": label.file_name, "text": label.text, "split": label.split},
        "annotations": [{"result": result, "completed_by": {"email": label.annotator}}],
    }


def _result(name: str, control: str, value: str) -> dict[str, Any]:
    key = {"choices": "choices", "textarea": "text"}[control]
    return {"from_name": name, "to_name": "image", "type": control, "value": {key: [value]}}


EXPORTERS.add("label-studio", Exporter("finished tasks for Label Studio", 310, write_label_studio))
