"""Pairs for training in other tools: OpenCLIP's table and those of sentence-transformers."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from typing import Any

from mmdemo.data.exporters.base import EXPORTERS, OF_SIDES, ExportedLabel, Exporter, Labels
from mmdemo.label_kinds import Training, training_of

ANSWERS: dict[Training, float | None] = {"positive": 1.0, "negative": 0.0, "none": None}


def write_open_clip(out: Path, labels: Labels) -> Path:
    """train.tsv, validation.tsv and test.tsv with filepath and title, as OpenCLIP reads them unless told
    otherwise; texts stand as they are, for training and not for spreadsheets.
    """
    with ExitStack() as stack:
        tables: dict[str, Any] = {}
        for label in _once(labels):
            side = OF_SIDES[label.split]
            if side not in tables:
                path = out / f"{side}.tsv"
                tables[side] = csv.writer(
                    stack.enter_context(path.open("w", encoding="utf-8", newline="")), "excel-tab"
                )
                tables[side].writerow(["filepath", "title"])
            tables[side].writerow([label.file_name, label.final_text])
    return out


def write_sentence_transformers(out: Path, labels: Labels) -> Path:
    """train.jsonl and so on: anchor is the file, positive the text, label 1.0 where they fit, else 0.0."""
    with ExitStack() as stack:
        files: dict[str, Any] = {}
        for label in _once(labels):
            side = OF_SIDES[label.split]
            if side not in files:
                files[side] = stack.enter_context((out / f"{side}.jsonl").open("w", encoding="utf-8"))
            line = {"anchor": label.file_name, "positive": label.final_text, "label": _answer(label)}
            files[side].write(json.dumps(line, ensure_ascii=False) + "\n")
    return out


def _once(labels: Labels) -> Iterator[ExportedLabel]:
    """The labels, of those of a pair that are the same line the last: who said it is not in it."""
    for _, own in groupby(labels, lambda label: label.pair):
        lines: dict[tuple[str, float | None], ExportedLabel] = {}
        for label in own:
            line = (label.final_text, _answer(label))
            lines.pop(line, None)
            lines[line] = label
        yield from lines.values()


def _answer(label: ExportedLabel) -> float | None:
    """1 where file and text fit, 0 where they do not; None: it says neither. A text that was corrected fits,
    as it does in mmdemo's own training.
    """
    said = ANSWERS[training_of(label.verdict)]
    return 1.0 if label.corrected_text and said is not None else said


def _fits(label: ExportedLabel) -> bool:
    return not label.is_span and _answer(label) == 1.0


def _answers(label: ExportedLabel) -> bool:
    return not label.is_span and _answer(label) is not None


REST = ("comments", "annotators", "sources", "what a text was before it was corrected")
OPEN_CLIP = ("all but matches and corrected texts", *REST)
EXPORTERS.add(
    "open-clip",
    Exporter(
        "pairs for training by OpenCLIP",
        330,
        write_open_clip,
        frozenset({"image"}),
        keeps=_fits,
        leaves_out=OPEN_CLIP,
    ),
)
EXPORTERS.add(
    "sentence-transformers",
    Exporter(
        "pairs for training by sentence-transformers",
        340,
        write_sentence_transformers,
        keeps=_answers,
        leaves_out=("spans, and verdicts that are neither match nor mismatch", *REST),
    ),
)
