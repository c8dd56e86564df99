"""Search in a collection of videos that lands on the second: by the best frame, then the moment around it."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import cast

import numpy as np

from mmdemo.modality import modality_of
from mmdemo.models.protocols import Task
from mmdemo.models.video.aligner import VideoAligner
from mmdemo.models.video.moments import moments_of
from mmdemo.retrieval.embed import text_vectors
from mmdemo.retrieval.frame_index import FrameIndex, FrameMatrix
from mmdemo.retrieval.query import MAX_K, Query
from mmdemo.retrieval.search import (
    THRESHOLD_LEAST,
    THRESHOLD_PAIRS,
    Results,
    Searcher,
    SpokenHit,
    best_cut,
)
from mmdemo.retrieval.serving import IndexKeeper, Serving
from mmdemo.store.texts import clean_text
from mmdemo.store.workspace import Workspace


class VideoSearcher(Searcher):
    """Answers words from the frames, and everything else from the videos' own vectors."""

    def __init__(self, ws: Workspace, keeper: IndexKeeper, task: Task) -> None:
        super().__init__(ws, keeper, task)
        self._frames_lock = threading.Lock()
        self._frames: tuple[str, FrameIndex] | None = None  # of a version

    def search(self, query: Query) -> Results:
        """The nearest videos with the moment that fits, or texts; see `Searcher.search`."""
        if query.target != "media" or not query.text.strip() or query.medium is not None or query.item:
            return super().search(query)
        serving = self._keeper.serving()
        frames = self._frame_index(serving)
        text = serving.aligner.encode_text([clean_text(query.text)])  # (1, D)
        scores = frames.scores(text)[:, 0]  # (V,)
        allowed = self._wanted(query)
        ids = frames.ids
        order = [i for i in np.argsort(-scores, kind="stable") if allowed is None or ids[i] in allowed]
        found: list[tuple[str, float]] = []
        places: dict[str, SpokenHit] = {}
        for i in order[: max(1, min(int(query.k), MAX_K))]:
            video = frames.videos[ids[i]]
            best = moments_of(video.times, video.vectors @ text[0], video.shots)[0]
            chance = float(serving.aligner.calibration.probability(best.score))
            places[ids[i]] = SpokenHit(chance, (round(best.start, 3), round(best.end, 3)))
            found.append((ids[i], float(scores[i])))
        results = self._results(serving, found, query.text, places)
        return replace(results, threshold=self.threshold(serving))

    def _frame_index(self, serving: Serving) -> FrameMatrix:
        with self._frames_lock:
            if self._frames is None or self._frames[0] != serving.version:
                self._frames = serving.version, FrameIndex(self._ws, cast(VideoAligner, serving.aligner))
            index = self._frames[1]
        return index.extend(self._ws.items.ids(modality_of(self._task).name))

    def _fit_threshold(self, serving: Serving) -> float:
        """As `Searcher`'s, with each video's best frame in the place of its vector."""
        pairs = [p for p in self._ws.pairs.browse(self._task, limit=20 * THRESHOLD_PAIRS) if p.is_own]
        frames = self._frame_index(serving)
        row_of = {item: i for i, item in enumerate(frames.ids)}
        pairs = [p for p in pairs if p.item in row_of][:THRESHOLD_PAIRS]
        if len(pairs) < THRESHOLD_LEAST or len(row_of) < 2:
            return serving.aligner.calibration.similarity(0.5)
        texts = text_vectors(self._ws, serving.aligner.towers, [p.final_text for p in pairs])
        scores = frames.scores(serving.aligner.project_text(texts))  # (V, P)
        rows, columns = np.array([row_of[p.item] for p in pairs]), np.arange(len(pairs))
        own = scores[rows, columns]
        scores[rows, columns] = -1.0
        other = scores.max(0)
        return best_cut(np.maximum(own, other), other)
