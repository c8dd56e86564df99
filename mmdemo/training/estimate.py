"""How long a training will take here and what memory, before it is started: from a few labels timed now."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from mmdemo.evaluation.pair_arrays import PairArrays
from mmdemo.labeling.snapshot import Example, take_snapshot
from mmdemo.media.image import decode_image
from mmdemo.modality import DEFAULT_TASK
from mmdemo.models.aligner import HeadAligner
from mmdemo.models.device import decide_compute
from mmdemo.models.memory import free_mb, weights_mb
from mmdemo.models.protocols import Captioner
from mmdemo.models.version_source import version_source
from mmdemo.store.splits import TRAIN, VALIDATION
from mmdemo.store.workspace import Workspace
from mmdemo.training.config import TrainSettings, for_head
from mmdemo.training.foretelling import ENOUGH, FOLDS
from mmdemo.training.recipes.base import RECIPES
from mmdemo.training.trainables.head import train_head
from mmdemo.training.trainables.texts import writing_defaults
from mmdemo.training.trainer import Plan, make_plan

TIMED = 4  # labels
# A backward pass costs two forward passes, one for the inputs' and one for the weights' gradients (Kaplan et
# al. 2020, arXiv:2001.08361); thin matrices save most of the second.
PASSES = {"lora": 2.0, "full": 3.0}
COPIES = {"lora": 1.3, "full": 4.0}  # of the weights in memory: themselves, gradients, two moments
HEAD_COPIES = 7  # of a head: itself, gradients, two moments, its average, and the one that it becomes
MOST_TIMED = 8_000_000  # numbers of a head that is tried out
LONG_S = 3600.0


@dataclass(frozen=True)
class Cost:
    """What a training takes."""

    seconds: float
    epochs: int
    labels: int
    memory_mb: int


def estimate(
    ws: Workspace, task: str, method: str, settings: TrainSettings, aligner: Callable[[], HeadAligner]
) -> dict[str, Any]:
    """The seconds and megabytes of a run, and a sentence for a person.

    Args:
        ws: the workspace.
        task: whose labels.
        method: head, lora or full.
        settings: as the run's.
        aligner: the version that it starts from.
    """
    snapshot = take_snapshot(ws, task)
    train = snapshot.of(TRAIN)
    if not train:
        return {"seconds": None, "sentence": ""}
    one = aligner()
    preset = version_source(ws, one.version).preset
    recipe = RECIPES["head" if method == "head" else preset.recipe]
    if recipe.defaults is None or recipe.forward is None:
        return {"seconds": None, "sentence": ""}
    each = partial(_pair_s, ws, recipe.forward, one, [e for e in train if e.match] or train)
    plan = make_plan(len(train), recipe.defaults(one.towers.media, len(train), settings), settings)
    if method != "head":
        return _told(ws, method, _network(plan, each(), method, settings, weights_mb(preset)))
    features = ws.vectors(preset.media_features, preset.feature_dim, np.float16)
    lacking = len(features.missing(sorted({e.item for e in snapshot.examples})))
    learning = _head_s(one, settings, plan)
    if len({e.item for e in snapshot.of(VALIDATION, match=True)}) < ENOUGH:
        learning *= FOLDS  # heads on four fifths of the labels say whether an attempt is worth it
    seconds = (lacking * each() if lacking else 0.0) + learning
    needs_mb = HEAD_COPIES * _numbers(one, settings) * 4 // 1_000_000
    return _told(ws, method, Cost(seconds, plan.epochs, len(train), needs_mb))


def estimate_captioning(
    ws: Workspace, writer: Captioner, method: str, settings: TrainSettings
) -> dict[str, Any]:
    """The same for a captioner; what writing a caption takes is about what learning from one does."""
    train = take_snapshot(ws, DEFAULT_TASK).of(TRAIN)
    items = ws.items.of([e.item for e in train[:TIMED]])
    took = []
    for item in items.values():
        begun = time.perf_counter()
        writer.caption([decode_image(ws.media_path(item))])
        took.append(time.perf_counter() - begun)
    if not took:
        return {"seconds": None, "sentence": ""}
    plan = make_plan(len(train), writing_defaults({}), settings)
    size_mb = sum(p.numel() * p.element_size() for p in writer.network.parameters()) // 1_000_000
    return _told(ws, method, _network(plan, min(took), method, settings, size_mb))


def _network(plan: Plan, each_s: float, method: str, settings: TrainSettings, size_mb: int) -> Cost:
    seconds = plan.total * plan.batch * each_s * PASSES[method]
    if settings.part and settings.part < plan.batch:
        seconds *= 1 + 1 / PASSES[method]  # every pair is embedded once more
    return Cost(seconds, plan.epochs, plan.examples, round(COPIES[method] * size_mb))


def _told(ws: Workspace, method: str, cost: Cost) -> dict[str, Any]:
    compute = decide_compute(ws.settings.device, ws.settings.threads)
    free = free_mb(compute)
    sentence = (
        f"About {_words(cost.seconds)} here: {cost.epochs} epochs over {cost.labels} labels on {compute}."
    )
    if cost.memory_mb > free:
        needs = f"It needs {cost.memory_mb} MB of memory and more, and {free} MB are free"
        less = "fewer or narrower heads" if method == "head" else "the head or LoRA"
        sentence += f" {needs}: train {less}."
    elif cost.seconds > LONG_S and method != "head":
        sentence += " That is long: train the head, take fewer epochs, or use a GPU."
    return {"free_mb": free, "sentence": sentence} | asdict(cost)


def _pair_s(
    ws: Workspace,
    forward: Callable[[Workspace, HeadAligner, Sequence[Example]], None],
    aligner: HeadAligner,
    examples: Sequence[Example],
) -> float:
    """Seconds that a pair takes both encoders, in a small batch after a first that warms up."""
    known = ws.items.of([e.item for e in examples[:TIMED]])
    chosen = [e for e in examples[:TIMED] if e.item in known]
    if not chosen:
        return 0.0
    forward(ws, aligner, chosen[:1])
    begun = time.perf_counter()
    forward(ws, aligner, chosen)
    return (time.perf_counter() - begun) / len(chosen)


def _head_s(aligner: HeadAligner, settings: TrainSettings, plan: Plan) -> float:
    """Seconds of a head's training on features: of a step with random ones, times the steps. Of what is
    larger than is soon tried out, a smaller one, times how much larger it is: nothing large is made only to
    time it.
    """
    rng = np.random.default_rng(0)
    count, towers = plan.batch, aligner.towers
    codes = np.arange(count, dtype=np.int64)
    random = PairArrays(
        rng.normal(size=(count, towers.media.feature_dim)).astype(np.float32),
        rng.normal(size=(count, aligner.dim)).astype(np.float32),
        np.ones(count, bool),
        codes,
        codes,
    )
    small = for_head(settings, settings.head or "residual")
    while (numbers := _numbers(aligner, small)) > MOST_TIMED and small.members * small.hidden > 1:
        if small.members > 1:
            small = replace(small, members=small.members // 2)
        else:
            small = replace(small, hidden=small.hidden // 2)
    larger = max(1.0, _numbers(aligner, settings) / numbers)
    tried = replace(small, epochs=2, learning_rate=1e-4)
    records = [
        r for r, _ in train_head(random, None, random.features, aligner.dim, tried, decide_compute("cpu"))
    ]
    return (records[-1].seconds - records[0].seconds) * plan.total * larger


def _numbers(aligner: HeadAligner, settings: TrainSettings) -> int:
    """How many numbers a head learns, or several do."""
    how = for_head(settings, settings.head or "residual")
    features, dim = aligner.towers.media.feature_dim, aligner.dim
    return how.members * (how.hidden * (features + dim) + dim * dim)


def _words(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
