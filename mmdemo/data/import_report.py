"""What an import brought, as a page and a command tell it, and as it is kept while the import goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mmdemo.data.file_list import CHANGED, GONE, LEFT, RENAMED, SAME, TOLD
from mmdemo.data.import_ledger import Ledger
from mmdemo.data.rows import Skipped
from mmdemo.store.splits import HELD_OUT, TRAIN, VALIDATION
from mmdemo.store.texts import storable

MOST_NAMED = 1000  # files that are told by name, of those that are here already, have changed and so on


@dataclass
class ImportReport:
    """What an import brought. Each row is imported, known or skipped: the three add up to the rows."""

    layout: str = ""  # as which the source was read
    rows: int = 0
    imported: int = 0  # rows that brought an item, a pair or a label
    known: int = 0  # rows of which all was here already
    items: int = 0
    pairs: int = 0
    labels: int = 0
    passed_over: int = 0  # rows
    skipped: list[Skipped] = field(default_factory=list)  # these, when it has ended
    sides: Counter[str] = field(default_factory=Counter)  # rows by the side that the source says
    moved: int = 0  # rows whose file has another side already than the source says
    outside: int = 0  # items that stay where they are
    copied: int = 0  # files that were to stay where they are and could not
    files: Mapping[str, int] = field(default_factory=dict)  # how many there are of each of these kinds:
    same: list[str] = field(default_factory=list)  # files that were here already
    changed: list[str] = field(default_factory=list)  # files that were others when they were imported before
    renamed: list[tuple[str, str]] = field(default_factory=list)  # their names before and now
    gone: list[str] = field(default_factory=list)  # that were imported before and are not there any more
    left: list[str] = field(default_factory=list)  # that are in no row
    notes: list[str] = field(default_factory=list)  # how it was read, and what was not as the source says
    file_notes: dict[str, str] = field(default_factory=dict)  # those about files, by the kind of these
    stopped: bool = False

    def as_json(self) -> dict[str, Any]:
        """The JSON of `import`."""
        return {
            "layout": self.layout,
            "rows": self.rows,
            "imported": self.imported,
            "known": self.known,
            "notes": [storable(note) for note in self.notes],
            "file_notes": {kind: storable(note) for kind, note in self.file_notes.items()},
            "items": self.items,
            "pairs": self.pairs,
            "labels": self.labels,
            "skipped": [{"row": s.row, "file": storable(s.file), "reason": s.reason} for s in self.skipped],
            "outside": self.outside,
            "files": {kind: self.files.get(kind, 0) for kind in TOLD},
            "same": self.same,
            "left_out": self.left,
            "changed": self.changed,
            "renamed": [{"before": before, "now": now} for before, now in self.renamed],
            "gone": self.gone,
        }

    def draft(self) -> ImportReport:
        """A report that goes on from here, and can be thrown away."""
        fresh = {"sides": Counter(self.sides), "skipped": [], "notes": list(self.notes), "file_notes": {}}
        return ImportReport(**{**vars(self), **fresh})

    def counts(self) -> dict[str, Any]:
        """The numbers, as they are kept while the import goes on."""
        names = (
            *("rows", "imported", "known", "passed_over", "items", "pairs", "labels"),
            *("moved", "outside", "copied"),
        )
        return {name: getattr(self, name) for name in names} | {"sides": dict(self.sides)}

    @classmethod
    def of_counts(cls, counts: Mapping[str, Any]) -> ImportReport:
        """The report that goes on from some numbers, which a database has kept."""
        told = {**counts, "sides": Counter(counts.get("sides", {}))}
        return cls(**{name: told[name] for name in vars(cls()) if name in told})

    def tell_sides(self, shared: int) -> None:
        """Note what is to be told of the splits of a source, of which so many texts are on several sides."""
        if self.moved:
            rows = f"{self.moved} rows say" if self.moved > 1 else "1 row says"
            self.notes.append(f"{rows} another split than the file has: it keeps that, as it is given once.")
        if shared:
            texts = f"{shared} texts are" if shared > 1 else "1 text is"
            self.notes.append(
                f"{texts} on several sides, as the source has it: "
                "what is learned with a text on some files is measured with it on others."
            )
        if self.sides[TRAIN] and not self.sides[HELD_OUT] and set(self.sides) <= {TRAIN, VALIDATION}:
            self.notes.append("The source holds nothing out: there is nothing of it to measure on.")

    def tell_files(self, ledger: Ledger) -> None:
        """Tell what has become of files since they were imported before, and what could not stay outside.

        Args:
            ledger: where it is noted.
        """
        self.files, self.renamed = ledger.file_counts(), ledger.files(RENAMED, MOST_NAMED)
        kinds = (SAME, CHANGED, GONE, LEFT)
        self.same, self.changed, self.gone, self.left = (
            [name for name, _ in ledger.files(kind, MOST_NAMED)] for kind in kinds
        )
        if self.changed:
            self._note(
                CHANGED,
                f"Changed since they were imported: {_some(self.changed, self.files[CHANGED])}. "
                "Each came as a new item, and the one before keeps its labels.",
            )
        if self.renamed:
            names = [f"{was} is {now} now" for was, now in self.renamed]
            self._note(RENAMED, f"Renamed: {_some(names, self.files[RENAMED])}.")
        if self.gone:
            gone = _some(self.gone, self.files[GONE])
            self._note(GONE, f"Gone from the folder: {gone}. What was made of them here stays.")
        if self.copied:
            self.notes.append(
                f"Copied all the same: {self.copied}. What is packed, or a link that leads out of the "
                "folder, cannot stay where it is."
            )

    def _note(self, kind: str, sentence: str) -> None:
        self.notes.append(sentence)
        self.file_notes[kind] = sentence


def _some(names: Sequence[str], count: int) -> str:
    """The first of so many names, and how many more there are."""
    return f"{names[0]} and {count - 1} more" if count > 1 else names[0]
