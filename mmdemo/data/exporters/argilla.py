"""Records for Argilla (docs.argilla.io), which `import` reads."""

from __future__ import annotations

import json
import uuid
from itertools import groupby
from pathlib import Path
from typing import Any

from mmdemo.data.exporters.base import EXPORTERS, ExportedLabel, Exporter, Labels, write_list
from mmdemo.data.exporters.data_urls import beside, data_url, is_inline

NAMES = uuid.UUID("9d1c1f5e-58a1-5a3b-9a55-7d2f3c1c6c0e")  # in which an annotator's name is an id
NOBODY = "annotator"  # who has no name


def write_argilla(out: Path, labels: Labels) -> Path:
    """records.json, for `dataset.records.from_json`; users.json, whom the responses are of.

    A record is a pair: the label in force is its suggestion, as a person's, and the last word of each
    annotator their response. A picture is an ImageField; Argilla has none for other files, which are a
    CustomField with a template such as <audio controls src="{{record.fields.audio.file}}">.
    """
    users: dict[str, str] = {}
    pairs = groupby(labels, lambda label: label.pair)
    path = write_list(out / "records.json", (_record(out, list(own), users) for _, own in pairs))
    listed = [{"username": name, "id": number} for name, number in sorted(users.items())]
    (out / "users.json").write_text(json.dumps(listed, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return path


def _record(out: Path, labels: list[ExportedLabel], users: dict[str, str]) -> dict[str, Any]:
    """A pair, with its labels from the oldest to the newest."""
    chosen = next((label for label in labels if label.in_force), labels[-1])
    file = data_url(chosen) if is_inline(chosen) else beside(out, chosen)
    responses: dict[str, list[dict[str, str]]] = {}
    words = {label.annotator or NOBODY: i for i, label in enumerate(labels)}
    for name, label in ((name, labels[i]) for name, i in sorted(words.items(), key=lambda word: word[1])):
        user = users.setdefault(name, str(uuid.uuid5(NAMES, name)))
        for question, value in _answers(label).items():
            answer = {"value": value, "user_id": user, "status": "submitted"}
            responses.setdefault(question, []).append(answer)
    metadata: dict[str, Any] = {
        "pair": chosen.pair,
        "file_name": chosen.name,
        "split": chosen.split,
        "source": chosen.source,
        "item": chosen.item,
    }
    metadata |= {"start": chosen.start, "end": chosen.end}
    return {
        "id": str(chosen.pair),
        "metadata": {name: value for name, value in metadata.items() if value is not None},
        "suggestions": {
            question: {"value": value, "type": "human", "agent": chosen.annotator or NOBODY}
            for question, value in _answers(chosen).items()
        },
        "responses": responses,
        # The file last: it may be long.
        "fields": {"text": chosen.text, chosen.key: file if chosen.key == "image" else {"file": file}},
    }


def _answers(label: ExportedLabel) -> dict[str, str]:
    """A label by the names of the questions."""
    answers = {"verdict": label.verdict, "corrected_text": label.corrected_text, "comment": label.comment}
    return {question: value for question, value in answers.items() if value}


EXPORTERS.add(
    "argilla",
    Exporter(
        "records for Argilla, with the files in them",
        320,
        write_argilla,
        packs=True,
        leaves_out=(
            "an annotator's earlier words on a pair",
            "corrected spans but that of the label in force",
        ),
    ),
)
