"""COCO captions, which `import` reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmdemo.data.exporters.base import EXPORTERS, ExportedLabel, Exporter, write_json


def write_coco(out: Path, labels: Sequence[ExportedLabel]) -> Path:
    """captions.json; verdict and annotator stand beside each caption."""
    number = {name: i for i, name in enumerate(dict.fromkeys(label.file_name for label in labels), 1)}
    annotations = [
        {
            "id": i,
            "image_id": number[label.file_name],
            "caption": label.final_text,
            "verdict": label.verdict,
            "annotator": label.annotator,
        }
        for i, label in enumerate(labels, 1)
    ]
    images = [{"id": i, "file_name": name} for name, i in number.items()]
    return write_json(out / "captions.json", {"images": images, "annotations": annotations})


EXPORTERS.add("coco", Exporter("COCO captions JSON", 300, write_coco, frozenset({"image"})))
