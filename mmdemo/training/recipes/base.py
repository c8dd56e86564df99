"""What differs between trainings: what is learned from what, and what is measured after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mmdemo.labeling.snapshot import Example, Snapshot
from mmdemo.models.aligner import Towers
from mmdemo.models.manager import version_source
from mmdemo.models.presets import Preset
from mmdemo.store.pairs import HELD_OUT
from mmdemo.store.tables import Run
from mmdemo.store.workspace import Workspace
from mmdemo.training.config import EpochRecord
from mmdemo.training.outcome import is_stopped
from mmdemo.training.trainer import Trainable
from mmdemo.training.writing import Method

CHECKED = 10  # one item in so many is kept off training, to choose the best epoch by
LEAST_CHECKED = 5  # pairs, below which no epoch is chosen


@dataclass(frozen=True)
class Recipe:
    """What is learned from what."""

    trainable: Trainable
    save: Callable[[Path], None]  # writes what was learned into a new folder
    examples: list[Example]  # that it is trained on
    check: Callable[[], float] | None = None  # on examples kept apart, in percent

    @property
    def trained_on(self) -> dict[str, int]:
        """For the card."""
        matches = sum(e.match for e in self.examples)
        return {"match": matches, "mismatch": len(self.examples) - matches}


@dataclass(frozen=True)
class FinishedRun:
    """A training that is over, to be measured and kept."""

    ws: Workspace
    run: Run
    snapshot: Snapshot
    recipe: Recipe
    record: EpochRecord  # of its last epoch
    towers: Callable[[], Towers]  # of the version before

    @property
    def preset(self) -> Preset:
        """Of the version before."""
        return version_source(self.ws, self.run.parent).preset

    @property
    def was_stopped(self) -> bool:
        """Whether somebody stopped it."""
        return is_stopped(self.ws, self.run)

    @property
    def measured(self) -> list[Example]:
        """The held-out matches, on which before and after are measured."""
        return self.snapshot.of(HELD_OUT, match=True)

    @property
    def facts(self) -> dict[str, Any]:
        """What every result holds."""
        on = self.recipe.trained_on | {"held_out": len(self.measured)}
        return {"seconds": self.record.seconds, "trained_on": on}


class Kind(Protocol):
    """A module that trains networks of one kind."""

    def open_recipe(self, ws: Workspace, run: Run, snapshot: Snapshot, how: Method) -> Recipe:
        """Load the network and its examples."""
        ...

    def conclude(self, finished: FinishedRun) -> None:
        """Measure before and after, and write the version."""
        ...


def split_validation(examples: list[Example]) -> tuple[list[Example], list[Example]]:
    """What to train on, and some matches of other items to choose the best epoch by."""
    items = sorted({e.item for e in examples})
    chosen = set(items[::CHECKED])
    checked = [e for e in examples if e.item in chosen and e.match]
    if len(checked) < LEAST_CHECKED:
        return examples, []
    return [e for e in examples if e.item not in chosen], checked
