"""A run of a recogniser from its snapshot to a version: it learns itself, from corrected transcripts."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from mmdemo.errors import DataError
from mmdemo.media.audio import decode_audio
from mmdemo.models.aligner import Towers
from mmdemo.models.calibration import Calibration
from mmdemo.models.device import decide_compute
from mmdemo.models.heads import ResidualHead, save_head
from mmdemo.models.manager import load_towers, version_source
from mmdemo.models.recognition import WINDOW_S
from mmdemo.retrieval.transcribing import vocabulary_of
from mmdemo.store.pairs import HELD_OUT, TRAIN
from mmdemo.store.tables import Run
from mmdemo.store.workspace import Workspace
from mmdemo.training.dataset import Example, Snapshot
from mmdemo.training.evaluate import comparison
from mmdemo.training.evaluation import head_of, retrieval_with
from mmdemo.training.loop import EpochRecord, settings_from_json
from mmdemo.training.outcome import add_version, finish_run, save_learned, version_of
from mmdemo.training.progress import append_progress
from mmdemo.training.transcripts import measure_transcripts
from mmdemo.training.writing import Adapted, AdaptedCtc, Recording, Writer, train_writer


def execute_writing(
    ws: Workspace, run: Run, towers: Callable[[], Towers], progress: Callable[[EpochRecord], None] | None
) -> None:
    """Train, measure transcripts and retrieval before and after, write the version.

    Raises:
        DataError: nothing to train on is short enough to be heard at once.
    """
    folder = ws.run_folder(run.id)
    snapshot = Snapshot.load(folder / "snapshot.json")
    compute = decide_compute(ws.settings.device, ws.settings.threads).training
    preset = version_source(ws, run.parent).preset
    settings = settings_from_json(run.settings)

    def stopped() -> bool:
        return (folder / "stop").exists()

    recordings = _recordings(ws, snapshot.of(TRAIN, match=True))
    if not recordings:
        raise DataError(
            f"No labelled recording is shorter than {WINDOW_S:.0f} s, which is what the model hears at once.",
            "Label shorter recordings, or train the head.",
        )
    kind = AdaptedCtc if preset.loader == "ctc" else Adapted
    adapted: Writer = kind(preset.media_tower, compute, run.method, settings.seed, preset.adapter)
    record: EpochRecord | None = None
    with append_progress(folder) as write:
        for record in train_writer(adapted, recordings, settings, run.method, folder / "state", stopped):
            write(record)
            if progress is not None:
                progress(record)
    if record is None:
        ws.runs.update(run.id, status="stopped", message="Stopped before the first epoch was done.")
        return
    was_stopped = stopped()
    target = ws.version_folder(version_of(run))
    after_preset = save_learned(preset, run, target, adapted.save)
    del adapted
    head = _copy_head(ws, run.parent, target)
    after, _ = load_towers(after_preset, ws.settings)
    measured = snapshot.of(HELD_OUT, match=True)
    before = retrieval_with(ws, preset, towers, head, measured)
    reached = retrieval_with(ws, after_preset, lambda: after, head, measured)
    result: dict[str, Any] = comparison(before, reached, measured) | {
        "seconds": record.seconds,
        "trained_on": {"match": len(recordings), "mismatch": 0, "held_out": len(measured)},
    }
    words = vocabulary_of(ws, run.parent)
    rates = measure_transcripts(ws, (towers().media, words), (after.media, ()), measured, lambda: False)
    result |= {"transcripts": rates} if rates else {}
    add_version(ws, run, preset, snapshot, result, _calibration(ws, run.parent, after))
    better = rates is not None and rates["WER"]["after"] < rates["WER"]["before"]
    finish_run(ws, run, result, better=better, measured=bool(measured), stopped=was_stopped)


def _recordings(ws: Workspace, examples: list[Example]) -> list[Recording]:
    items = ws.items.of(sorted({e.item for e in examples}))
    return [
        Recording(partial(decode_audio, ws.media_path(items[e.item])), e.text)
        for e in examples
        if e.item in items and (items[e.item].duration_s or 0.0) <= WINDOW_S
    ]


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
