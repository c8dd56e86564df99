"""A run of a captioner: it learns from the captions that people confirmed, and is measured by them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from mmdemo.evaluation.caption_scores import bleu4, caption_comparison
from mmdemo.evaluation.evidence import CAPTION_SCORES, Evidence
from mmdemo.labeling.snapshot import Example
from mmdemo.media.image import decode_image
from mmdemo.modality import DEFAULT_TASK
from mmdemo.models.aligner import HeadAligner
from mmdemo.models.calibration import Calibration
from mmdemo.models.captioning.transformers import HubCaptioner
from mmdemo.models.device import decide_compute
from mmdemo.models.version_source import version_source
from mmdemo.retrieval.embed import decode_file
from mmdemo.store.tables import Item
from mmdemo.store.workspace import Workspace
from mmdemo.training.foretelling import unseen
from mmdemo.training.outcome import save_learned
from mmdemo.training.recipes.base import (
    RECIPES,
    Compared,
    Conclusion,
    FinishedRun,
    OpenedRun,
    Recipe,
    StartedRun,
)
from mmdemo.training.trainables.captioner import AdaptedCaptioner, Captioned
from mmdemo.training.trainables.texts import WriterLearning, likelihood_of

MEASURED = 48  # held-out pictures that are captioned before and after
SHOWN = 8  # of them, whose captions the result shows
AT_LEAST_PX = 384


def open_run(started: StartedRun) -> OpenedRun:
    """A captioner, and the captions that people judged."""
    ws, train = started.ws, started.train
    adapted = AdaptedCaptioner(started.preset.media_tower, started.compute, started.method)
    check = likelihood_of(adapted, _captioned(ws, started.validation)) if started.validation else None
    return OpenedRun(WriterLearning(adapted, _captioned(ws, train)), adapted.save, train, check)


def conclude(finished: FinishedRun) -> Conclusion:
    """Caption held-out pictures by the captioner before and the one that learned."""
    started = finished.started
    ws, preset = started.ws, started.preset
    learned = save_learned(preset, started.run, started.folder, finished.opened.save)
    sides = ((preset.media_tower, preset.adapter), (learned.media_tower, learned.adapter))
    written = _write(ws, started.measured, *sides)

    def validation() -> Evidence | None:
        found = _write(ws, unseen(ws, started.run.parent, started.validation), *sides)
        return _evidence(found) if found is not None else None

    table = _table(ws, started.models.aligner(DEFAULT_TASK), written) if written is not None else None
    return Conclusion(
        {"captions": table} | finished.facts,
        Calibration(1.0, 0.0),
        _evidence(written) if written is not None else None,
        validation,
    )


def compare(asked: Compared) -> Evidence | None:
    """Two captioners by how much their captions are like those of people."""
    presets = [version_source(asked.ws, version).preset for version in (asked.before, asked.after)]
    written = _write(asked.ws, asked.examples, *[(p.media_tower, p.adapter) for p in presets])
    return _evidence(written) if written is not None else None


def _captioned(ws: Workspace, examples: Sequence[Example]) -> list[Captioned]:
    items = ws.items.of(sorted({e.item for e in examples}))
    return [
        Captioned(
            partial(decode_image, ws.media_path(items[e.item]), at_least_px=AT_LEAST_PX),
            e.text,
            e.match,
            e.agreement,
        )
        for e in examples
        if e.item in items
    ]


@dataclass(frozen=True)
class Written:
    """Pictures as two captioners described them."""

    items: list[Item]
    references: list[list[str]]  # what people confirmed of each
    before: list[str]
    after: list[str]


def _write(
    ws: Workspace, examples: Sequence[Example], before: tuple[str, str], after: tuple[str, str]
) -> Written | None:
    """Captions of held-out pictures by two networks, each a name and an adapter; None: there are none."""
    references: dict[str, list[str]] = {}
    for e in examples:
        references.setdefault(e.item, []).append(e.text)
    items = list(ws.items.of(list(references)[:MEASURED]).values())
    if not items:
        return None
    compute = decide_compute(ws.settings.device, ws.settings.threads)
    written = []
    for name, adapter in (before, after):
        captioner = HubCaptioner(name, compute, adapter)
        loads = [decode_image(ws.media_path(item), at_least_px=AT_LEAST_PX) for item in items]
        written.append([captioner.caption([picture]) for picture in loads])
        del captioner
    return Written(items, [references[item.id] for item in items], *written)


def _evidence(written: Written) -> Evidence:
    """For the gate: BLEU-4 of each picture's caption, 0..1."""
    scores = [
        np.array([bleu4(c, r) / 100 for c, r in zip(captions, written.references, strict=True)])
        for captions in (written.before, written.after)
    ]
    items = tuple(item.id for item in written.items)
    return Evidence(items, -scores[0], -scores[1], (scores[0], scores[1]), unit=CAPTION_SCORES)


def _table(ws: Workspace, aligner: HeadAligner, written: Written) -> dict[str, Any]:
    """The scores of both sides, by what an aligner of pictures says of them, and captions that changed."""
    pictures = [decode_file(aligner.towers.media, ws.media_path(item)) for item in written.items]
    vectors = aligner.encode_media(pictures)
    cosines = _cosines(aligner, vectors, written.before), _cosines(aligner, vectors, written.after)
    found = caption_comparison(written.before, written.after, written.references, cosines)
    rows = zip(written.items, written.before, written.after, written.references, strict=True)
    shown = [
        {"item": item.id, "before": old, "after": new, "wanted": texts[0]}
        for item, old, new, texts in rows
        if old != new
    ]
    return found | {"aligner": aligner.version, "examples": shown[:SHOWN]}


def _cosines(aligner: HeadAligner, vectors: np.ndarray, captions: Sequence[str]) -> np.ndarray:
    texts = aligner.encode_text([c or "nothing" for c in captions])
    return np.asarray(np.einsum("nd,nd->n", vectors, texts))


RECIPES.add("captions", Recipe(open_run, conclude, compare))
