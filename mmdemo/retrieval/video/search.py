"""Search in a collection of videos that lands on the second: by the best frame, then the moment around it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import cast

import numpy as np

from mmdemo.modality import modality_of
from mmdemo.models.protocols import Task
from mmdemo.models.video.aligner import VideoAligner
from mmdemo.models.video.moments import Moment, best_scores, moments_of
from mmdemo.retrieval.candidates import Answer, Candidates
from mmdemo.retrieval.embed import load_medium
from mmdemo.retrieval.filters import require_item
from mmdemo.retrieval.hubness import projected
from mmdemo.retrieval.query import Query
from mmdemo.retrieval.results import Result
from mmdemo.retrieval.search import Searcher
from mmdemo.retrieval.serving import IndexKeeper, Serving
from mmdemo.retrieval.video.frame_index import FrameIndex, FrameMatrix, VideoFrames
from mmdemo.retrieval.video.frames import frame_count, is_kept
from mmdemo.store.workspace import Workspace

LOOKED_AT = 50  # videos, of those with the best frames, whose moments are looked for: half a millisecond each
THRESHOLD_PAIRS = 400  # labelled or given pairs that the "no good match" threshold is read from
THRESHOLD_LEAST = 20  # with fewer, the calibrated probability of one half decides


class VideoSearcher(Searcher):
    """Answers words from the frames, and a video's likes from the videos' own vectors.

    Its numbers are those of moments, at one right text in five: what is known of a pair beside is not asked.
    """

    def __init__(self, ws: Workspace, keeper: IndexKeeper, task: Task) -> None:
        super().__init__(ws, keeper, task)
        self._frames_lock = threading.Lock()
        self._frames: tuple[str, FrameIndex] | None = None  # of a version
        self._thresholds: dict[tuple[str, int, int], float] = {}

    def _depth(self, serving: Serving, query: Query) -> int:
        return LOOKED_AT if self._by_words(query) else 0

    def _beside(self, serving: Serving) -> Callable[[np.ndarray], np.ndarray]:
        return serving.aligner.calibration.probability

    def _texts_asked(self, serving: Serving, query: Query) -> int:
        return 0 if query.text.strip() else LOOKED_AT

    def _candidates(self, serving: Serving, query: Query, wanted: int) -> Candidates:
        """The videos whose best frames are nearest to words."""
        if not self._by_words(query):
            return super()._candidates(serving, query, wanted)
        frames = self._frame_index(serving)
        scores = frames.scores(self._query_vector(serving, query)[None])[:, 0]  # (V,)
        allowed, ids = query.only, frames.ids
        rows = [i for i in np.argsort(-scores, kind="stable") if allowed is None or ids[i] in allowed]
        kept = rows[:wanted]
        return Candidates([ids[i] for i in kept], scores[kept], np.zeros(len(kept), np.float32))

    def _numbers(self, serving: Serving, query: Query, ids: Sequence[str], near: np.ndarray) -> np.ndarray:
        if not self._by_words(query):
            return super()._numbers(serving, query, ids, near)
        scores = [moment.score for moment in self._moments(serving, query, ids)]
        return serving.aligner.calibration.probability(np.array(scores))

    def _places(
        self, serving: Serving, query: Query, answers: Sequence[Answer]
    ) -> dict[str, tuple[float, float]]:
        if not self._by_words(query):
            return {}
        ids = [a.id for a in answers]
        moments = self._moments(serving, query, ids)
        return {i: (round(m.start, 3), round(m.end, 3)) for i, m in zip(ids, moments, strict=True)}

    def _moments(self, serving: Serving, query: Query, ids: Sequence[str]) -> list[Moment]:
        """The best moment of each video for words."""
        text, videos = self._query_vector(serving, query), self._frame_index(serving).videos
        return [moments_of(v.times, v.vectors @ text, v.shots)[0] for v in (videos[i] for i in ids)]

    def _similarities(self, serving: Serving, query: Query, ids: Sequence[str]) -> np.ndarray:
        vector, videos = self._query_vector(serving, query), self._frame_index(serving).videos
        found = [float((videos[i].vectors @ vector).max()) if i in videos else -np.inf for i in ids]
        return np.array(found, np.float32)

    def _shown_ids(self) -> list[str]:
        return self._ws.items.ids(modality_of(self._task).name, shown=True)

    def _frame_index(self, serving: Serving, stopped: Callable[[], bool] = lambda: False) -> FrameMatrix:
        with self._frames_lock:
            if self._frames is None or self._frames[0] != serving.version:
                self._frames = serving.version, FrameIndex(self._ws, cast(VideoAligner, serving.aligner))
            index = self._frames[1]
        return index.extend(self._shown_ids(), stopped)

    def uncarried(self, features: str) -> int:
        """See `Carried`: the frames of the videos that were looked through."""
        ids = self._shown_ids()
        with self._frames_lock:
            index = self._frames[1] if self._frames else None
        lacking = [
            i for i in (ids if index is None else index.lacking(ids)) if is_kept(self._ws, features, i)
        ]
        return sum(map(frame_count, self._ws.items.of(lacking).values()))

    def carry(self, stopped: Callable[[], bool]) -> None:
        """See `Carried`."""
        self._frame_index(self._keeper.serving(), stopped)

    def _asked_video(self, serving: Serving, query: Query) -> VideoFrames | None:
        """The frames of the video that texts are looked for; None: they are looked for by words too."""
        if query.text.strip() or (query.medium is None and not query.item):
            return None
        aligner = cast(VideoAligner, serving.aligner)
        medium = query.medium
        if medium is None:
            item = require_item(self._ws, self._task, query.item or "")
            known = self._frame_index(serving).videos.get(item.id)
            if known is not None:
                return known
            medium = load_medium(self._ws, aligner.towers.media, item)
        return VideoFrames(medium.times, medium.shots, aligner.frame_vectors(medium))

    def _text_similarities(self, serving: Serving, query: Query, texts: Sequence[str]) -> np.ndarray:
        video = self._asked_video(serving, query)
        if video is None:
            return super()._text_similarities(serving, query, texts)
        return np.asarray((video.vectors @ projected(self._ws, serving.aligner, texts).T).max(0))

    def _text_numbers(
        self, serving: Serving, query: Query, texts: Sequence[str], near: np.ndarray
    ) -> np.ndarray:
        video = self._asked_video(serving, query)
        if video is None:
            return super()._text_numbers(serving, query, texts, near)
        cosines = video.vectors @ projected(self._ws, serving.aligner, texts).T
        return serving.aligner.calibration.probability(best_scores(video.times, cosines, video.shots))

    def _none_fits(self, serving: Serving, results: Sequence[Result]) -> bool:
        """As `Searcher._none_fits`; a moment above one half is not enough where many wrong ones compete."""
        sure = any(r.fit != "none" and (r.found_by or r.verdict) for r in results)
        return super()._none_fits(serving, results) or (
            not sure and results[0].score < self._threshold(serving)
        )

    def _threshold(self, serving: Serving) -> float:
        """The cosine below which the best answer is no good match in this collection.

        Read from the pairs at hand: for each text, the score of its own video's best frame when that is in
        the collection, and the best other video's, which is what would be shown if it were not. The threshold
        parts the two best (Youden 1950). It depends on the collection's size, as the best of many wrong
        answers does.
        """
        at = (serving.version, len(serving.index), self._ws.changes.latest())
        with self._lock:
            if at not in self._thresholds:
                self._thresholds[at] = self._fit_threshold(serving)
            return self._thresholds[at]

    def _fit_threshold(self, serving: Serving) -> float:
        pairs = [p for p in self._ws.pairs.browse(self._task, limit=20 * THRESHOLD_PAIRS) if p.is_own]
        frames = self._frame_index(serving)
        row_of = {item: i for i, item in enumerate(frames.ids)}
        pairs = [p for p in pairs if p.item in row_of][:THRESHOLD_PAIRS]
        if len(pairs) < THRESHOLD_LEAST or len(row_of) < 2:
            return serving.aligner.calibration.similarity(0.5)
        texts = projected(self._ws, serving.aligner, [p.final_text for p in pairs])
        scores = frames.scores(texts)  # (V, P)
        rows, columns = np.array([row_of[p.item] for p in pairs]), np.arange(len(pairs))
        own = scores[rows, columns]
        scores[rows, columns] = -1.0
        other = scores.max(0)
        return best_cut(np.maximum(own, other), other)


def best_cut(present: np.ndarray, absent: np.ndarray) -> float:
    """The value that parts scores of queries with an answer from those without: the greatest Youden's J."""
    cuts = np.unique(np.concatenate([present, absent]))
    above = (present[None, :] >= cuts[:, None]).mean(1)
    false = (absent[None, :] >= cuts[:, None]).mean(1)
    return float(cuts[np.argmax(above - false)])
