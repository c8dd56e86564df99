"""The texts that people confirmed: what captions are proposed from, beside what a classifier sees."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mmdemo.modality import labelled_task
from mmdemo.models.aligner import HeadAligner
from mmdemo.models.captioning.proposals import Known
from mmdemo.retrieval.embed import text_vectors
from mmdemo.store.pairs import PairView
from mmdemo.store.texts import text_key
from mmdemo.store.workspace import Workspace


class ConfirmedTexts:
    """The confirmed texts of a task, those of one item told apart.

    Args:
        ws: the workspace.
        aligner: the version that says which are near.
        item_id: of the medium that is to be captioned.
    """

    def __init__(self, ws: Workspace, aligner: HeadAligner, item_id: str) -> None:
        task = labelled_task(aligner.task)
        pairs = ws.pairs.browse(task, training="positive", shown=True)
        self._texts = list({text_key(p.final_text): p.final_text for p in pairs}.values())
        self._own = [p for p in pairs if p.item == item_id]
        self._refused = [p for p in ws.pairs.browse(task, training="negative", item=item_id)]
        self._vectors = (
            aligner.project_text(text_vectors(ws, aligner.towers, self._texts))
            if self._texts
            else np.empty((0, aligner.dim), np.float32)
        )

    def near(
        self, vector: np.ndarray, count: int, start: float | None = None, end: float | None = None
    ) -> Known:
        """What is known of a medium, or of a span of it in seconds, by its (D,) vector."""
        order = np.argsort(-(self._vectors @ vector), kind="stable")[:count]
        return Known(
            [self._texts[i] for i in order],
            len(self._texts),
            [p.final_text for p in _within(self._own, start, end)],
            [p.final_text for p in _within(self._refused, start, end)],
        )


def _within(pairs: list[PairView], start: float | None, end: float | None) -> Iterator[PairView]:
    """Of a whole medium all pairs of the whole; of a span those of spans that hold its middle."""
    for pair in pairs:
        if start is None or end is None:
            fits = pair.start_s is None
        else:
            middle = (start + end) / 2
            fits = pair.start_s is not None and pair.start_s <= middle <= (pair.end_s or float("inf"))
        if fits:
            yield pair
