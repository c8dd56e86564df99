"""Run by a Python that has argilla: reads records as `from_json` does, and prints what would be sent."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

from argilla._models import UserModel
from argilla.records._io import JsonIO

NAMES = ("verdict", "corrected_text", "comment")  # of the questions of a data set
QUESTIONS = {name: SimpleNamespace(name=name, id=None) for name in NAMES}
KINDS = {"image": "image", "audio": "custom", "video": "custom", "text": "text"}
SCHEMA = {name: SimpleNamespace(type=kind) for name, kind in KINDS.items()}
DATASET = SimpleNamespace(settings=SimpleNamespace(questions=QUESTIONS, schema=SCHEMA), name="one")

sent = []
for folder in map(Path, sys.argv[1:]):
    for user in json.loads((folder / "users.json").read_text()):
        UserModel(**user)
    for record in JsonIO._records_from_json(folder / "records.json"):
        record.dataset = DATASET
        model = record.api_model().model_dump(mode="json")
        model["fields"] = {name: str(value)[:40] for name, value in model["fields"].items()}
        sent.append(model)
print(json.dumps(sent))
