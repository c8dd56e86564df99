"""Sources of layouts whose rows are good, missing and damaged, by the name of the importer."""

from __future__ import annotations

import json

from tests.data.conftest import Files

_KINDS = [{"id": 1, "name": "cat"}]
_COCO = [
    {"id": 1, "file_name": "1.png"},
    {"id": 2, "file_name": "no.png"},
    3,
    {"id": 4, "file_name": "1.png"},
]
_THINGS = [{"image_id": 1, "category_id": 1}, {"image_id": 4, "category_id": 9}, 5]
_KARPATHY = [
    {"filename": "1.png", "split": "train", "sentences": [{"raw": "one"}, {"raw": 4}]},
    {"filename": "no.png", "split": "val", "sentences": [{"raw": "two"}]},
    3,
]
_PRODIGY = [
    {"image": "1.png", "label": "cat", "answer": "accept", "_task_hash": 1},
    {"image": "no.png", "label": ["cat"], "answer": "reject", "_task_hash": 2},
    {"image": 4, "answer": 5, "_task_hash": 3},
    6,
]
ODD_LAYOUTS: dict[str, Files] = {
    "class-names": {"words.txt": "n01440764 tench", "n01440764/1.png": "", "n01440764/2.odt": "x"},
    "cub": {
        "images.txt": "1 1.png\n2 no.png\n3 1.png",
        "image_class_labels.txt": "1 1\n3 9",
        "classes.txt": "1 001.cat",
        "1.png": "",
    },
    "coco-categories": {
        "a.json": json.dumps({"images": _COCO, "annotations": _THINGS, "categories": _KINDS}),
        "1.png": "",
    },
    "cvat": {
        "a.xml": '<annotations><image id="1" name="1.png"/><image id="2" name="no.png"/></annotations>',
        "1.png": "",
    },
    "via": {
        "a.json": json.dumps({"_via_img_metadata": {"1.png9": {"filename": "1.png"}, "2": 3, "no.png": {}}}),
        "1.png": "",
    },
    "label-studio-min": {
        "a.json": json.dumps(
            [{"image": n, "choice": "cat", "annotation_id": 1, "lead_time": 2} for n in ("1.png", "no.png")]
        ),
        "1.png": "",
    },
    "karpathy": {"a.json": json.dumps({"images": _KARPATHY}), "1.png": ""},
    "prodigy": {"a.jsonl": "\n".join(map(json.dumps, _PRODIGY)), "1.png": ""},
}
