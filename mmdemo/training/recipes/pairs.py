"""A LoRA or full run of two encoders: what it learns from, and what is measured of the version."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmdemo.evaluation.comparison import calibrate, comparison
from mmdemo.evaluation.evaluate import fit_of, head_of, retrieval_with
from mmdemo.evaluation.evidence import Evidence, rank_evidence
from mmdemo.evaluation.metrics import evaluate_retrieval
from mmdemo.evaluation.pair_arrays import load_arrays, prepare_features
from mmdemo.labeling.snapshot import Example
from mmdemo.models.aligner import HeadAligner
from mmdemo.models.device import Compute
from mmdemo.models.encoders.dual import DualTextTower, stacked
from mmdemo.models.load import base_calibration, load_towers
from mmdemo.models.presets import LOADERS, Preset
from mmdemo.models.protocols import Encoder, MediaTower
from mmdemo.store.splits import VALIDATION
from mmdemo.store.texts import text_key
from mmdemo.store.workspace import Workspace
from mmdemo.training.adapting import let_learn
from mmdemo.training.config import TrainSettings
from mmdemo.training.foretelling import unseen
from mmdemo.training.outcome import save_learned
from mmdemo.training.processes import rows_of_all, share_of
from mmdemo.training.recipes.base import (
    RECIPES,
    Conclusion,
    FinishedRun,
    OpenedRun,
    Recipe,
    StartedRun,
    compare_ranks,
)
from mmdemo.training.trainables.encoders import PairLearning, pair_defaults
from mmdemo.training.trainables.pair_data import PairSource, pair_dataset
from mmdemo.training.trainer import Defaults

AT_ONCE = 16  # pairs that are measured at once


def open_run(started: StartedRun) -> OpenedRun:
    """Both encoders and the labelled pairs of the train side."""
    ws, preset, how, train = started.ws, started.preset, started.method, started.train
    encoder = open_learner(preset, started.compute, how.merged)
    encoder.network = let_learn(encoder.network, how, started.compute)
    source = PairSource(pair_dataset(ws, encoder, preset.task, train))

    def save(folder: Path) -> None:
        if how.name == "lora":
            encoder.network.save_pretrained(folder)
        else:
            encoder.save(folder)

    check = _recall(ws, encoder, preset, started.validation) if started.validation else None
    return OpenedRun(PairLearning(encoder, source, started.settings), save, train, check)


def conclude(finished: FinishedRun) -> Conclusion:
    """Measure retrieval by the encoders before and those that learned."""
    started = finished.started
    ws, run, preset, measured = started.ws, started.run, started.preset, started.measured
    learned = save_learned(preset, run, started.folder, finished.opened.save)
    after, _ = load_towers(learned, ws.settings)
    own = fit_of(ws, run.parent)
    before = retrieval_with(ws, preset, started.towers, head_of(ws, run.parent), measured, own)
    reached = retrieval_with(ws, learned, lambda: after, None, measured)
    calibrating = started.snapshot.of(VALIDATION)
    prepare_features(ws, learned, calibrating, lambda: after)
    pairs = load_arrays(ws, learned, calibrating)

    def validation() -> Evidence | None:
        asked = unseen(ws, run.parent, started.validation)
        if not asked:
            return None
        old = retrieval_with(ws, preset, started.towers, head_of(ws, run.parent), asked, own)
        return rank_evidence(old, retrieval_with(ws, learned, lambda: after, None, asked), asked)

    return Conclusion(
        comparison(before, reached, measured) | finished.facts,
        calibrate(None, pairs, preset.dim, base_calibration(preset, started.towers)),
        rank_evidence(before, reached, measured) if measured else None,
        validation,
    )


def _recall(
    ws: Workspace, encoder: Encoder, preset: Preset, examples: Sequence[Example]
) -> Callable[[], float]:
    """Measures the mean recall, in percent, of the encoder as it is then. Each of several processes embeds
    its share, and each has the figure of all.
    """
    texts = DualTextTower(preset, encoder)
    data = pair_dataset(ws, encoder, preset.task, examples)
    prepared: dict[int, dict[str, Tensor]] = {}  # of this process's share, once they were asked for
    ids = [e.medium for e in examples], [text_key(e.text) for e in examples]

    @torch.inference_mode()
    def found() -> float:
        own = share_of(range(len(examples)))
        prepared.update({i: data[i] for i in own if i not in prepared})
        media = [torch.zeros(0, encoder.dim)]
        for at in range(0, len(own), AT_ONCE):
            part = encoder.media(stacked([prepared[i] for i in own[at : at + AT_ONCE]]))
            media.append(normalize(part, dim=1).cpu())
        words = texts.encode([examples[i].text for i in own])
        vectors, text = rows_of_all(torch.cat(media)), rows_of_all(torch.from_numpy(words))
        return evaluate_retrieval(vectors.numpy(), text.numpy(), *ids).mean_recall

    return found


def open_learner(preset: Preset, compute: Compute, adapter: str) -> Encoder:
    """The encoder of a preset as it is trained: of videos it takes several frames at once."""
    opened = LOADERS[preset.loader].open_encoder
    assert opened is not None  # such a model is trained by another recipe
    return opened(preset, compute, adapter)


def defaults(tower: MediaTower, examples: int, settings: TrainSettings) -> Defaults:
    """As the encoders' family is trained."""
    return pair_defaults(_learner(tower))


def forward(ws: Workspace, aligner: HeadAligner, examples: Sequence[Example]) -> None:
    """Both encoders once, as they are trained: of videos several frames at once."""
    encoder = _learner(aligner.towers.media)
    data = pair_dataset(ws, encoder, aligner.task, examples)
    with torch.inference_mode():
        encoder.media(stacked([data[i] for i in range(len(data))]))
    aligner.encode_text([e.text for e in examples])


def _learner(tower: Any) -> Encoder:
    learner: Encoder = tower.learner  # each tower of a loader with this recipe has one
    return learner


RECIPES.add("pairs", Recipe(open_run, conclude, compare_ranks, defaults, forward))
