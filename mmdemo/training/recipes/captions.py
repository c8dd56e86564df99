"""A run of a captioner: it learns from the captions that people confirmed, and is measured by them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from mmdemo.evaluation.caption_scores import caption_comparison
from mmdemo.labeling.snapshot import Example
from mmdemo.media.image import decode_image
from mmdemo.models.aligner import HeadAligner
from mmdemo.models.calibration import Calibration
from mmdemo.models.captioning.transformers import HubCaptioner
from mmdemo.models.device import Compute, decide_compute
from mmdemo.models.manager import ModelManager, version_source
from mmdemo.models.protocols import DEFAULT_TASK
from mmdemo.retrieval.embed import decode_file
from mmdemo.store.workspace import Workspace
from mmdemo.training.outcome import save_learned
from mmdemo.training.recipes.base import RECIPES, Conclusion, FinishedRun, OpenedRun, Recipe, StartedRun
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
    """Caption held-out pictures by the captioner before and the one that learned; no towers are needed."""
    started = finished.started
    ws, preset = started.ws, started.preset
    learned = save_learned(preset, started.run, started.folder, finished.opened.save)
    captions = _compare(
        ws,
        decide_compute(ws.settings.device, ws.settings.threads),
        started.measured,
        (preset.media_tower, preset.adapter),
        (learned.media_tower, learned.adapter),
    )
    return Conclusion(
        {"captions": captions} | finished.facts,
        Calibration(1.0, 0.0),
        better=captions is not None and captions["gains"]["BLEU-4"]["gain"] > 0,
        measured=captions is not None,
    )


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


def _compare(
    ws: Workspace,
    compute: Compute,
    examples: Sequence[Example],
    before: tuple[str, str],
    after: tuple[str, str],
) -> dict[str, Any] | None:
    """Captions of held-out pictures by two networks, each a name and an adapter; None: there are none."""
    references: dict[str, list[str]] = {}
    for e in examples:
        references.setdefault(e.item, []).append(e.text)
    items = [item for item in ws.items.of(list(references)[:MEASURED]).values()]
    if not items:
        return None
    aligner = ModelManager(ws.settings, ws.versions.active, lambda v: version_source(ws, v)).aligner(
        DEFAULT_TASK
    )
    tower = aligner.towers.media
    pictures = [decode_file(tower, ws.media_path(item)) for item in items]
    vectors = aligner.encode_media(pictures)
    written = []
    for name, adapter in (before, after):
        captioner = HubCaptioner(name, compute, adapter)
        loads = [decode_image(ws.media_path(item), at_least_px=AT_LEAST_PX) for item in items]
        written.append([captioner.caption([picture]) for picture in loads])
        del captioner
    own = [references[item.id] for item in items]
    found = caption_comparison(
        written[0],
        written[1],
        own,
        (_cosines(aligner, vectors, written[0]), _cosines(aligner, vectors, written[1])),
    )
    shown = [
        {"item": item.id, "before": old, "after": new, "wanted": texts[0]}
        for item, old, new, texts in zip(items, *written, own, strict=True)
        if old != new
    ]
    return found | {"aligner": aligner.version, "examples": shown[:SHOWN]}


def _cosines(aligner: HeadAligner, vectors: np.ndarray, captions: Sequence[str]) -> np.ndarray:
    texts = aligner.encode_text([c or "nothing" for c in captions])
    return np.asarray(np.einsum("nd,nd->n", vectors, texts))


RECIPES.add("captions", Recipe(open_run, conclude))
