"""How many labels a run would take on each side of the split."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sqlalchemy import select

from mmdemo.labeling.snapshot import FEW, LEAST_MATCHES, Snapshot
from mmdemo.store.splits import HELD_OUT, TRAIN, VALIDATION
from mmdemo.store.tables import Label
from mmdemo.store.workspace import Workspace


@dataclass(frozen=True)
class SideCount:
    """The labels of one side."""

    match: int
    mismatch: int

    @property
    def total(self) -> int:
        """Both together."""
        return self.match + self.mismatch


@dataclass(frozen=True)
class SideCounts:
    """The labels of a snapshot by side."""

    train: SideCount
    held_out: SideCount
    validation: SideCount

    @property
    def learned_from(self) -> int:
        """Those that a run would learn from or watch itself by."""
        return self.train.total + self.validation.total

    @property
    def goal(self) -> dict[str, int]:
        """How far it is to a first fine-tune: the labels to learn from, which `need` of are wanted. Those of
        the other sides, as those of the samples, do not bring it nearer.
        """
        more = max(FEW - self.train.total, LEAST_MATCHES - self.train.match, 0)
        return {"have": self.train.total, "need": self.train.total + more if more else FEW}

    @property
    def totals(self) -> dict[str, int]:
        """By side, as the JSON of `/label_counts` has them."""
        return {name: getattr(self, name).total for name in self.as_json}

    @property
    def as_json(self) -> dict[str, dict[str, int]]:
        """By side and meaning, as the JSON of `training_data` has them."""
        return asdict(self)


def count_sides(snapshot: Snapshot) -> SideCounts:
    """Count the labels of a snapshot."""

    def side(split: str) -> SideCount:
        return SideCount(len(snapshot.of(split, True)), len(snapshot.of(split, False)))

    return SideCounts(side(TRAIN), side(HELD_OUT), side(VALIDATION))


def count_of_samples(ws: Workspace, snapshot: Snapshot) -> int:
    """How many labels of a snapshot came with the sample collection, so that nobody here made them."""
    with ws.database.read() as session:
        came = set(session.scalars(select(Label.id).where(Label.origin == "samples")))
    return sum(example.label in came for example in snapshot.examples)
