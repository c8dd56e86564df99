"""The labels that a run trains and is measured on, frozen, and checked before the start."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter

from mmdemo.errors import DamagedError, DataError
from mmdemo.label_kinds import training_of
from mmdemo.modality import modality_of
from mmdemo.store.durable import write_durably
from mmdemo.store.pairs import PairView
from mmdemo.store.splits import ALL, HELD_OUT, NO_SIDE, TRAIN, VALIDATION, validates
from mmdemo.store.tables import TextSplit
from mmdemo.store.texts import text_key
from mmdemo.store.workspace import Workspace

CHOSEN_SHARE = 0.1  # of train items, for validation where that side has too few; workspaces keep to it
MOST_VALIDATION = 0.2  # of the examples that could be trained on
LEAST_VALIDATION = 5  # matches, below which epochs are not compared
LEAST_MATCHES = 2  # of different items with different texts, without which nothing is learned
FEW = 30  # labelled train pairs below which a gain is mostly luck


@dataclass(frozen=True)
class Example:
    """One label as a run sees it."""

    label: int
    pair: int
    item: str
    text: str
    match: bool  # else a marked mismatch
    split: str  # train, validation or held-out
    start: float | None = None  # seconds, of a span with a text of its own
    end: float | None = None
    agreement: float = 1.0  # the share of those who judged the pair that agree with the verdict
    closed: bool = False  # whether the text is a class, which stands on every side with items of its own

    @property
    def medium(self) -> str:
        """What tells one medium from another: the item, and its span where there is one."""
        return self.item if self.start is None else f"{self.item} {self.start} {self.end}"


@dataclass(frozen=True)
class Snapshot:
    """The labels of a run, frozen: later labels do not reach it."""

    task: str
    examples: tuple[Example, ...]  # in the order in which they were labelled
    lost: int = 0  # labels that were left out, as their files are gone

    def of(self, split: str, match: bool | None = None) -> list[Example]:
        """The examples of a side, or of all, perhaps only matches or mismatches."""
        return [e for e in self.examples if split in {e.split, ALL} and (match is None or e.match == match)]

    @property
    def sha256(self) -> str:
        """The hash of the label ids."""
        return hashlib.sha256(json.dumps([e.label for e in self.examples]).encode()).hexdigest()

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        rows = {"task": self.task, "sha256": self.sha256, "examples": [asdict(e) for e in self.examples]}
        told = rows | {"lost": self.lost}
        write_durably(path, json.dumps(told, ensure_ascii=False).encode())

    @staticmethod
    def load(path: Path) -> Snapshot:
        """Read what `save` wrote.

        Raises:
            DamagedError: it is not as that writes it, as in a backup of somebody's.
            OSError: it is not there.
        """
        try:
            return _form().validate_json(path.read_bytes(), strict=True)
        except ValueError as e:
            raise DamagedError(
                f"What {path.parent.name} learns from is damaged.", "Remove the run, and start a new one."
            ) from e


@cache
def _form() -> TypeAdapter[Snapshot]:
    return TypeAdapter(Snapshot)


def take_snapshot(ws: Workspace, task: str) -> Snapshot:
    """The labels in force that can be trained or measured on.

    A label with a corrected text counts with that text, as a match; it is left out when the corrected text
    belongs to the other side of the split. See `split_validation` for the workspaces of earlier versions.
    """
    pairs = [p for p in ws.pairs.browse(task, state="labelled") if p.training != "none"]
    if modality_of(task).spans is None:  # a word's span is no text of the whole recording
        pairs = [p for p in pairs if p.start_s is None]
    corrected = {p.label: text_key(p.corrected) for p in pairs if p.corrected}
    closed = ws.pairs.sides.closed(text_key(p.final_text) for p in pairs)
    with ws.database.read() as session:
        side = {key: row.split for key in set(corrected.values()) if (row := session.get(TextSplit, key))}
    agreed = ws.labels.opinions(task)
    examples = []
    for pair in sorted(pairs, key=lambda p: p.label or 0):
        split = pair.split
        if pair.corrected and side.get(corrected[pair.label]) not in {split, *NO_SIDE}:
            split = None
        if split is not None:
            one = _example(pair, split, agreed.get(pair.id, {}))
            examples.append(replace(one, closed=text_key(one.text) in closed))
    return Snapshot(task, tuple(split_validation(examples)))


def split_validation(examples: list[Example]) -> list[Example]:
    """The same examples, of which some on the train side are for validation where that side has too few: a
    tenth of the items, by their hash, and only those whose texts no other item has.

    So it is in workspaces that had no validation side, and with sources that say what is to be trained on.
    Where even that gives too few, all are trained on and epochs are not compared.
    """
    if sum(e.split == VALIDATION and e.match for e in examples) >= LEAST_VALIDATION:
        return examples
    train = [e for e in examples if e.split == TRAIN]
    chosen = _most(train, {e.item for e in train if validates(e.item, CHOSEN_SHARE)})
    while True:  # an item that shares a text with one that stays, stays too, and so on; classes are shared
        texts = {text_key(e.text) for e in train if e.item not in chosen and not e.closed}
        shared = {e.item for e in train if e.item in chosen and text_key(e.text) in texts and not e.closed}
        if not shared:
            break
        chosen -= shared
    if sum(e.item in chosen and e.match for e in train) < LEAST_VALIDATION:
        return examples
    return [replace(e, split=VALIDATION) if e.split == TRAIN and e.item in chosen else e for e in examples]


def _example(pair: PairView, split: str, opinions: dict[str, int]) -> Example:
    match = pair.is_confirmed or bool(pair.corrected)
    label = pair.label or 0
    asked = sum(opinions.values())
    alike = sum(n for verdict, n in opinions.items() if training_of(verdict) == pair.training)
    agreement = alike / asked if asked > 1 and not pair.corrected else 1.0
    return Example(
        label, pair.id, pair.item, pair.final_text, match, split, pair.start_s, pair.end_s, agreement
    )


def _most(train: list[Example], items: set[str]) -> set[str]:
    """Of some items those that together are a fifth of the examples at most: of few items with many pairs
    each, such as videos, a tenth by chance may be half.
    """
    counts = Counter(e.item for e in train)
    room, kept = MOST_VALIDATION * len(train), set()
    for item in sorted(items, key=lambda item: item[8:]):
        if counts[item] <= room:
            kept.add(item)
            room -= counts[item]
    return kept


@dataclass(frozen=True)
class DataReport:
    """What the data lacks: `missing` stops a run, `warnings` are told."""

    missing: tuple[str, ...]
    warnings: tuple[str, ...]
    snapshot: Snapshot  # without the labels whose files are gone


def with_files(ws: Workspace, snapshot: Snapshot) -> Snapshot:
    """The same without the labels whose files are gone, which are counted: one that is lost keeps none of the
    others from being learned from and measured on.
    """
    items = ws.items.of(sorted({e.item for e in snapshot.examples}))
    there = {key for key, item in items.items() if ws.has_media(item)}
    kept = tuple(e for e in snapshot.examples if e.item in there)
    lost = len(snapshot.examples) - len(kept)
    return replace(snapshot, examples=kept, lost=snapshot.lost + lost) if lost else snapshot


def told_lost(count: int) -> str:
    """That so many pairs were left out, in a sentence."""
    whose = (
        "1 pair was left out: its file is"
        if count == 1
        else f"{count:,} pairs were left out: their files are"
    )
    return f"{whose} gone."


def check_snapshot(ws: Workspace, snapshot: Snapshot) -> DataReport:
    """Look through the data before the start, so that nothing is found out in the middle."""
    snapshot = with_files(ws, snapshot)
    train, held_out = snapshot.of(TRAIN), snapshot.of(HELD_OUT)
    matches = [e for e in train if e.match]
    missing: list[str] = []
    warnings: list[str] = []
    if snapshot.lost and not snapshot.examples:
        missing.append(f"{told_lost(snapshot.lost)} No labels are left: import the files again.")
    elif not snapshot.examples:
        missing.append("There are no labels to train on. Label some pairs in the Label tab.")
    elif not train:
        what = f"All {len(held_out)} labels are on the held-out side, which is only measured on."
        missing.append(f"{what} Label more: most pairs are to train on.")
    elif not matches:
        missing.append("There are only mismatches to train on. Label some matches: they say what fits.")
    elif len({text_key(e.text) for e in matches}) < LEAST_MATCHES:
        missing.append(
            "All matches to train on have one text. Label matches with two different texts or more."
        )
    elif len({e.item for e in matches}) < LEAST_MATCHES:
        missing.append(
            "All matches to train on are of one item. Label matches of two different items or more."
        )
    if snapshot.lost and not missing:
        warnings.append(told_lost(snapshot.lost))
    if not missing:
        if len(matches) < FEW:
            warnings.append(f"{len(matches)} matches to train on are few: below {FEW} a gain is mostly luck.")
        if all(e.match for e in train):
            warnings.append("There are no mismatches yet: marked mismatches teach what does not fit.")
        if len([e for e in held_out if e.match]) < 2:
            warnings.append(
                "No held-out matches: the result cannot be measured, so it is not promoted by itself."
            )
    return DataReport(tuple(missing), tuple(warnings), snapshot)


def require_data(ws: Workspace, snapshot: Snapshot) -> DataReport:
    """As `check_snapshot`, but what is missing is raised.

    Raises:
        DataError: what is missing, in one sentence.
    """
    report = check_snapshot(ws, snapshot)
    if report.missing:
        raise DataError(report.missing[0])
    return report
