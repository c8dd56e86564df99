"""A LoRA or full run of two encoders: what it learns from, and what is measured of the version."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch.nn.functional import normalize

from mmdemo.evaluation.comparison import calibrate, comparison
from mmdemo.evaluation.evaluate import head_of, retrieval_with
from mmdemo.evaluation.metrics import evaluate_retrieval
from mmdemo.evaluation.pair_arrays import load_arrays, prepare_features
from mmdemo.labeling.snapshot import Example, Snapshot
from mmdemo.models.device import Compute, decide_compute
from mmdemo.models.encoders.dual import DualTextTower, stacked
from mmdemo.models.manager import base_calibration, load_towers, version_source
from mmdemo.models.presets import LOADERS, Preset
from mmdemo.models.protocols import Encoder
from mmdemo.store.pairs import HELD_OUT, TRAIN
from mmdemo.store.tables import Run
from mmdemo.store.texts import text_key
from mmdemo.store.workspace import Workspace
from mmdemo.training.config import settings_from_json
from mmdemo.training.contrastive import PairLearning
from mmdemo.training.outcome import add_version, finish_run, save_learned, version_of
from mmdemo.training.pair_data import PairSource, pair_dataset
from mmdemo.training.recipes.base import FinishedRun, Recipe, split_validation
from mmdemo.training.writing import Method, let_learn

AT_ONCE = 16  # pairs that are measured at once


def open_recipe(ws: Workspace, run: Run, snapshot: Snapshot, how: Method) -> Recipe:
    """Both encoders and the labelled pairs of the train side."""
    compute = decide_compute(ws.settings.device, ws.settings.threads).training
    preset = version_source(ws, run.parent).preset
    encoder = open_learner(preset, compute, how.merged)
    encoder.network = let_learn(encoder.network, how, compute)
    train, checked = split_validation(snapshot.of(TRAIN))
    source = PairSource(pair_dataset(ws, encoder, run.task, train))

    def save(folder: Path) -> None:
        if how.name == "lora":
            encoder.network.save_pretrained(folder)
        else:
            encoder.save(folder)

    check = _recall(ws, encoder, preset, checked) if checked else None
    return Recipe(PairLearning(encoder, source, settings_from_json(run.settings)), save, train, check)


def conclude(finished: FinishedRun) -> None:
    """Measure retrieval before and after, write the version."""
    ws, run, preset, measured = finished.ws, finished.run, finished.preset, finished.measured
    was_stopped = finished.was_stopped
    after_preset = save_learned(preset, run, ws.version_folder(version_of(run)), finished.recipe.save)
    after, _ = load_towers(after_preset, ws.settings)
    before = retrieval_with(ws, preset, finished.towers, head_of(ws, run.parent), measured)
    reached = retrieval_with(ws, after_preset, lambda: after, None, measured)
    result = comparison(before, reached, measured) | finished.facts
    held_out = finished.snapshot.of(HELD_OUT)
    prepare_features(ws, after_preset, held_out, lambda: after)
    pairs = load_arrays(ws, after_preset, held_out)
    calibration = calibrate(None, pairs, preset.dim, base_calibration(preset))
    add_version(ws, run, preset, finished.snapshot, result, calibration)
    better = bool(measured) and reached.mean_recall > before.mean_recall
    finish_run(ws, run, result, better=better, measured=bool(measured), stopped=was_stopped)


def _recall(
    ws: Workspace, encoder: Encoder, preset: Preset, examples: Sequence[Example]
) -> Callable[[], float]:
    """Measures the mean recall, in percent, of the encoder as it is then."""
    texts = DualTextTower(preset, encoder)
    data = pair_dataset(ws, encoder, preset.task, examples)
    media = [data[i] for i in range(len(data))]
    ids = [e.medium for e in examples], [text_key(e.text) for e in examples]

    @torch.inference_mode()
    def found() -> float:
        parts = [encoder.media(stacked(media[i : i + AT_ONCE])).cpu() for i in range(0, len(media), AT_ONCE)]
        vectors = normalize(torch.cat(parts), dim=1).numpy()
        return evaluate_retrieval(vectors, texts.encode([e.text for e in examples]), *ids).mean_recall

    return found


def open_learner(preset: Preset, compute: Compute, adapter: str) -> Encoder:
    """The encoder of a preset as it is trained: of videos it takes several frames at once."""
    opened = LOADERS[preset.loader].open_encoder
    assert opened is not None  # such a model is trained by another recipe
    return opened(preset, compute, adapter)
