"""A run of a recogniser: it learns itself from corrected transcripts, and is measured by its errors."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

from mmdemo.errors import DataError
from mmdemo.evaluation.comparison import comparison
from mmdemo.evaluation.evaluate import head_of, retrieval_with
from mmdemo.evaluation.transcripts import measure_transcripts
from mmdemo.labeling.snapshot import Example, Snapshot
from mmdemo.media.audio import decode_audio
from mmdemo.models.aligner import Towers
from mmdemo.models.calibration import Calibration
from mmdemo.models.device import decide_compute
from mmdemo.models.heads.residual import ResidualHead
from mmdemo.models.heads.saved import save_head
from mmdemo.models.manager import load_towers, version_source
from mmdemo.models.speech.recogniser import WINDOW_S
from mmdemo.retrieval.transcripts import vocabulary_of
from mmdemo.store.pairs import TRAIN
from mmdemo.store.tables import Run
from mmdemo.store.workspace import Workspace
from mmdemo.training.outcome import add_version, finish_run, save_learned, version_of
from mmdemo.training.recipes.base import FinishedRun, Recipe, split_validation
from mmdemo.training.writing import (
    Adapted,
    AdaptedCtc,
    Method,
    Recording,
    Writer,
    WriterLearning,
    likelihood_of,
)


def open_recipe(ws: Workspace, run: Run, snapshot: Snapshot, how: Method) -> Recipe:
    """A recogniser, and the recordings whose texts people confirmed. A text that was marked as wrong teaches
    nothing here: most of its words may have been said.

    Raises:
        DataError: nothing to train on is short enough to be heard at once.
    """
    compute = decide_compute(ws.settings.device, ws.settings.threads).training
    preset = version_source(ws, run.parent).preset
    known = ws.items.of(sorted({e.item for e in snapshot.examples}))
    short = [
        e
        for e in snapshot.of(TRAIN, match=True)
        if e.item in known and (known[e.item].duration_s or 0.0) <= WINDOW_S
    ]
    if not short:
        raise DataError(
            f"No labelled recording is shorter than {WINDOW_S:.0f} s, which is what the model hears at once.",
            "Label shorter recordings, or train the head.",
        )
    kind = AdaptedCtc if preset.loader == "ctc" else Adapted
    adapted: Writer = kind(preset.media_tower, compute, how)

    def recordings(examples: list[Example]) -> list[Recording]:
        return [Recording(partial(decode_audio, ws.media_path(known[e.item])), e.text) for e in examples]

    train, checked = split_validation(short)
    check = likelihood_of(adapted, recordings(checked)) if checked else None
    return Recipe(WriterLearning(adapted, recordings(train)), adapted.save, train, check)


def conclude(finished: FinishedRun) -> None:
    """Measure transcripts and retrieval before and after, write the version."""
    ws, run, preset, measured = finished.ws, finished.run, finished.preset, finished.measured
    was_stopped, target = finished.was_stopped, ws.version_folder(version_of(run))
    after_preset = save_learned(preset, run, target, finished.recipe.save)
    head = _copy_head(ws, run.parent, target)
    after, _ = load_towers(after_preset, ws.settings)
    before = retrieval_with(ws, preset, finished.towers, head, measured)
    reached = retrieval_with(ws, after_preset, lambda: after, head, measured)
    result = comparison(before, reached, measured) | finished.facts
    old = finished.towers().media, vocabulary_of(ws, run.parent)
    rates = measure_transcripts(ws, old, (after.media, ()), measured, lambda: False)
    result |= {"transcripts": rates} if rates else {}
    add_version(ws, run, preset, finished.snapshot, result, _calibration(ws, run.parent, after))
    better = rates is not None and rates["WER"]["after"] < rates["WER"]["before"]
    finish_run(ws, run, result, better=better, measured=bool(measured), stopped=was_stopped)


def _copy_head(ws: Workspace, parent: str, target: Path) -> ResidualHead | None:
    """The parent's head goes on serving; it is trained again where that is wanted."""
    head = head_of(ws, parent)
    if head is not None:
        save_head(head, target)
    return head


def _calibration(ws: Workspace, parent: str, towers: Towers) -> Calibration:
    """The shared space is the parent's, and so is its calibration."""
    card = ws.version_folder(parent) / "card.json"
    if not card.exists():
        return towers.calibration
    return Calibration(**json.loads(card.read_text(encoding="utf-8"))["calibration"])
