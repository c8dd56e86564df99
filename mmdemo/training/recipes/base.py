"""What differs between trainings: what is learned from what, and what is measured after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mmdemo.evaluation.evaluate import fit_of, head_of, retrieval_with
from mmdemo.evaluation.evidence import Evidence, rank_evidence
from mmdemo.labeling.snapshot import Example, Snapshot
from mmdemo.models.aligner import HeadAligner, Towers
from mmdemo.models.calibration import Calibration
from mmdemo.models.device import Compute, decide_compute
from mmdemo.models.manager import ModelManager
from mmdemo.models.presets import Preset
from mmdemo.models.protocols import MediaTower
from mmdemo.models.version_source import version_source
from mmdemo.registry import Registry, modules_in
from mmdemo.store.splits import HELD_OUT, TRAIN, VALIDATION
from mmdemo.store.tables import Run
from mmdemo.store.workspace import Workspace
from mmdemo.training.adapting import Method
from mmdemo.training.config import EpochRecord, TrainSettings, settings_of_run
from mmdemo.training.outcome import is_stopped, version_of
from mmdemo.training.trainer import Defaults, Trainable


@dataclass(frozen=True)
class StartedRun:
    """A run whose turn has come, and what it works with."""

    ws: Workspace
    run: Run
    snapshot: Snapshot
    models: ModelManager  # of whoever carries it out: what is loaded in its process is loaded by this one
    stopped: Callable[[], bool]

    def towers(self) -> Towers:
        """Of the version that it starts from, loaded where they are asked for."""
        return self.models.towers(self.preset)

    @property
    def settings(self) -> TrainSettings:
        """How to train."""
        return settings_of_run(self.run.settings)

    @property
    def preset(self) -> Preset:
        """Of the version that it starts from."""
        return version_source(self.ws, self.run.parent).preset

    @property
    def compute(self) -> Compute:
        """Where to train, and in which number format."""
        return decide_compute(self.ws.settings.device, self.ws.settings.threads).training

    @property
    def method(self) -> Method:
        """How a network learns."""
        settings = self.settings
        return Method(self.run.method, settings.seed, self.preset.adapter, settings.recompute)

    @property
    def folder(self) -> Path:
        """Of the version that it makes."""
        return self.ws.version_folder(version_of(self.run))

    @property
    def train(self) -> list[Example]:
        """What it learns from."""
        return self.snapshot.of(TRAIN)

    @property
    def validation(self) -> list[Example]:
        """The matches by which epochs are compared."""
        return self.snapshot.of(VALIDATION, match=True)

    @property
    def measured(self) -> list[Example]:
        """The held-out matches, on which before and after are measured, and nothing else."""
        return self.snapshot.of(HELD_OUT, match=True)


@dataclass(frozen=True)
class OpenedRun:
    """What a run trains: loaded, and with its examples."""

    trainable: Trainable
    save: Callable[[Path], None]  # writes what was learned into a new folder
    examples: list[Example]  # that it learns from
    check: Callable[[], float] | None = None  # on the validation examples, in percent


@dataclass(frozen=True)
class FinishedRun:
    """A training that is over, to be measured."""

    started: StartedRun
    opened: OpenedRun
    record: EpochRecord  # of its last epoch
    share: float  # of the planned epochs, for which what is kept has learned

    @property
    def was_stopped(self) -> bool:
        """Whether somebody stopped it."""
        return is_stopped(self.started.ws, self.started.run)

    @property
    def facts(self) -> dict[str, Any]:
        """What every result holds."""
        matches = sum(e.match for e in self.opened.examples)
        on = {
            "match": matches,
            "mismatch": len(self.opened.examples) - matches,
            "held_out": len(self.started.measured),
            "validation": len(self.started.validation),
        }
        if self.started.snapshot.lost:
            on["left_out"] = self.started.snapshot.lost
        return {"seconds": self.record.seconds, "trained_on": on}


@dataclass(frozen=True)
class Conclusion:
    """What was measured of the version that a run made, whose weights are on disk."""

    result: dict[str, Any]  # before, after and the rest of what its card and the page say
    calibration: Calibration
    evidence: Evidence | None = None  # before and after on the held-out matches; None: there are none
    # The same on pairs that were neither learned from nor held out, measured when the gate wants to know.
    validation: Callable[[], Evidence | None] = lambda: None
    later: tuple[Callable[[], dict[str, Any]], ...] = ()  # more for the result, that nobody should wait for


@dataclass(frozen=True)
class Compared:
    """Two versions to be compared by what a recipe measures."""

    ws: Workspace
    before: str
    after: str
    examples: Sequence[Example]  # matches
    towers: Callable[[str], Towers]  # of a version


@dataclass(frozen=True)
class Recipe:
    """One kind of training."""

    open: Callable[[StartedRun], OpenedRun]  # load what is trained, and its examples
    conclude: Callable[[FinishedRun], Conclusion]  # write the weights, measure before and after
    compare: Callable[[Compared], Evidence | None]  # two versions that are there, as `conclude` measures them
    # For an estimate: how the model of a tower is trained on so many examples by some settings, and some of
    # them sent through it once; None: it has no towers.
    defaults: Callable[[MediaTower, int, TrainSettings], Defaults] | None = None
    forward: Callable[[Workspace, HeadAligner, Sequence[Example]], None] | None = None


def compare_ranks(asked: Compared) -> Evidence:
    """Two versions by the ranks of right answers: of recipes that change what lies near what."""
    ws, found = asked.ws, []
    for version in (asked.before, asked.after):
        preset = version_source(ws, version).preset
        loads = partial(asked.towers, version)
        found.append(
            retrieval_with(ws, preset, loads, head_of(ws, version), asked.examples, fit_of(ws, version))
        )
    return rank_evidence(found[0], found[1], asked.examples)


RECIPES: Registry[Recipe] = Registry(
    "recipe", Recipe, modules_in("mmdemo.training.recipes", "head", "pairs", without=("base",))
)


def recipe_of(ws: Workspace, run: Run) -> Recipe:
    """The recipe of a run."""
    return recipe_for(ws, run.parent, run.method)


def recipe_for(ws: Workspace, parent: str, method: str) -> Recipe:
    """How a version is trained further: a head is on every model, a network by the model's own recipe."""
    return RECIPES["head" if method == "head" else version_source(ws, parent).preset.recipe]
