"""COCO captions, which `import` reads."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from mmdemo.data.exporters.base import EXPORTERS, Exporter, Labels


def write_coco(out: Path, labels: Labels) -> Path:
    """captions.json: the text that is in force as the caption, and all that a manifest says beside it.

    Annotations wait in a file of their own until the last image is known; of each image a number is kept.
    """
    path = out / "captions.json"
    number: dict[str, int] = {}
    with (
        path.open("w", encoding="utf-8") as f,
        tempfile.TemporaryFile("w+", encoding="utf-8", dir=out) as annotations,
    ):
        f.write('{"images": [')
        for i, label in enumerate(labels, 1):
            columns = label.columns()
            name = columns.pop("file_name")
            if name not in number:
                number[name] = len(number) + 1
                f.write(f"{',' if len(number) > 1 else ''}\n{_line({'id': number[name], 'file_name': name})}")
            said = {"id": i, "image_id": number[name], "caption": label.final_text} | columns
            annotations.write(f"{',' if i > 1 else ''}\n{_line(said)}")
        f.write('\n], "annotations": [')
        annotations.seek(0)
        shutil.copyfileobj(annotations, f)
        f.write("\n]}\n")
    return path


def _line(value: dict[str, object]) -> str:
    return json.dumps(value, ensure_ascii=False)


EXPORTERS.add("coco", Exporter("COCO captions JSON", 300, write_coco, frozenset({"image"})))
