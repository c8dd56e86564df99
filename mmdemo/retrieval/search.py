"""Search: words or a picture in, the nearest pictures or texts out, and a word when nothing is near
enough.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from mmdemo.errors import UserError
from mmdemo.modality import modality_of
from mmdemo.models.aligner import HeadAligner
from mmdemo.models.protocols import Task
from mmdemo.retrieval.embed import looked_at, text_vectors, version_file
from mmdemo.retrieval.query import MAX_K, Query
from mmdemo.retrieval.serving import IndexKeeper, Serving
from mmdemo.store.pairs import PairView
from mmdemo.store.texts import clean_text
from mmdemo.store.workspace import Workspace

THRESHOLD_PAIRS = 400  # labelled or given pairs that the "no good match" threshold is read from
THRESHOLD_LEAST = 20  # with fewer, the calibrated probability of one half decides
RERANKED_TEXTS = 50  # texts that are scored by their likelihood for a recording


@dataclass(frozen=True)
class Result:
    """One answer."""

    item: str
    name: str
    text: str  # a confirmed text of the item, else one it came with
    score: float  # cosine
    probability: float  # calibrated
    verdict: str | None  # of a label on this item with the query's own words
    start: float | None = None  # seconds, where the query was found in sound or video
    end: float | None = None


@dataclass(frozen=True)
class SpokenHit:
    """Whether and where a text was said in a recording."""

    probability: float
    place: tuple[float, float] | None  # start and end in seconds


@dataclass(frozen=True)
class Results:
    """The answers, best first, and whether the best is good enough."""

    version: str
    results: tuple[Result, ...]
    threshold: float  # cosine below which nothing in this collection matches
    stale_share: float

    @property
    def no_match(self) -> bool:
        """Whether even the best answer is below the threshold."""
        return not self.results or self.results[0].score < self.threshold

    def as_json(self) -> dict[str, Any]:
        """The JSON of `search`."""
        return {
            "model": self.version,
            "no_match": self.no_match,
            "threshold": round(self.threshold, 4),
            "stale": round(self.stale_share, 3),
            "results": [
                {
                    "item": r.item,
                    "file": r.name,
                    "text": r.text,
                    "score": round(r.score, 4),
                    "probability": round(r.probability, 4),
                    "start": r.start,
                    "end": r.end,
                    "verdict": r.verdict,
                }
                for r in self.results
            ],
        }


class Searcher:
    """Answers queries from the index that serves."""

    def __init__(self, ws: Workspace, keeper: IndexKeeper, task: Task) -> None:
        self._ws = ws
        self._keeper = keeper
        self._task: Task = task
        self._thresholds: dict[tuple[str, int], float] = {}
        self._lock = threading.Lock()

    def search(self, query: Query) -> Results:
        """The nearest items or texts.

        Raises:
            UserError: nothing to look for, or an item that is not there.
        """
        if query.target not in {"media", "text"}:
            raise UserError(f"The target {query.target!r} is unknown.", "Use media or text.")
        k = max(1, min(int(query.k), MAX_K))
        serving = self._keeper.serving()
        vector = self._query_vector(serving, query)
        if query.target == "text":
            return self._search_texts(serving, vector, k, query)
        file = version_file(self._ws, serving.aligner)
        allowed = self._allowed(query, serving)
        wanted = max(k, serving.aligner.reranks)
        scores, rows = serving.index.search(vector[None], wanted + (query.item is not None), allowed)
        ids = file.keys_at(rows[0])
        near = [(i, float(s)) for i, s in zip(ids, scores[0], strict=True) if i != query.item][:wanted]
        if serving.aligner.reranks and query.text.strip() and query.medium is None and not query.item:
            near, said = self._reranked(serving, near, clean_text(query.text))
            return self._results(serving, near[:k], query.text, said)
        return self._results(serving, near[:k], query.text)

    def _reranked(
        self, serving: Serving, near: list[tuple[str, float]], text: str
    ) -> tuple[list[tuple[str, float]], dict[str, SpokenHit]]:
        """The first of the nearest by the probability that the text was said there, where anybody says it.

        Where nobody does, the query is a topic and the shared space's order stands.
        """
        aligner = serving.aligner
        items = self._ws.items.of([i for i, _ in near[: aligner.reranks]])
        said: dict[str, SpokenHit] = {}
        for item_id, score in near[: aligner.reranks]:
            if item_id in items:
                states = looked_at(self._ws, aligner, items[item_id])
                sure = float(aligner.probability_of(states, [text], np.array([score]))[0])
                said[item_id] = SpokenHit(sure, aligner.place(states, text) if sure >= 0.5 else None)
        if aligner.always_reranks or any(one.probability >= 0.5 for one in said.values()):
            near = sorted(near, key=lambda found: -said[found[0]].probability if found[0] in said else 0.0)
        return near, said

    def _query_vector(self, serving: Serving, query: Query) -> np.ndarray:
        aligner = serving.aligner
        parts: list[np.ndarray] = []
        if query.text.strip():
            parts.append(aligner.encode_text([clean_text(query.text)])[0])
        if query.medium is not None:
            parts.append(aligner.encode_media([query.medium])[0])
        if query.item:
            if self._ws.items.get(query.item) is None:
                raise UserError(f"There is no item {query.item[:12]}.", "Search with another one.")
            parts.append(self._keeper.version_vectors(aligner, [query.item])[0])
        if not parts:
            raise UserError("There is nothing to look for.", "Write some words or drop a file.")
        total = np.sum(parts, axis=0)
        return (total / max(float(np.linalg.norm(total)), 1e-12)).astype(np.float32)

    def _wanted(self, query: Query) -> set[str] | None:
        """The items that the query's filters leave; None: it has none."""
        wanted: set[str] | None = None
        if query.state:
            states = self._ws.pairs.item_states(self._task)
            wanted = {item for item, found in states.items() if query.state in found}
        if query.source:
            own = set(self._ws.items.ids(modality_of(self._task).name, query.source))
            wanted = own if wanted is None else wanted & own
        return wanted

    def _allowed(self, query: Query, serving: Serving) -> np.ndarray | None:
        wanted = self._wanted(query)
        if wanted is None:
            return None
        mask = np.zeros(len(serving.index), dtype=bool)
        rows = version_file(self._ws, serving.aligner).rows_of(sorted(wanted))
        mask[rows[(rows >= 0) & (rows < len(mask))]] = True
        return mask

    def _results(
        self,
        serving: Serving,
        near: Sequence[tuple[str, float]],
        words: str,
        said: dict[str, SpokenHit] | None = None,
    ) -> Results:
        items = self._ws.items.of([i for i, _ in near])
        pairs = self._ws.pairs.of_items(self._task, list(items))
        calibration = serving.aligner.calibration
        results = []
        for item_id, score in near:
            if item_id not in items:
                continue
            heard = (said or {}).get(item_id) or SpokenHit(float(calibration.probability(score)), None)
            start, end = heard.place or (None, None)
            asked = [p for p in pairs[item_id] if words and p.text == words]
            results.append(
                Result(
                    item=item_id,
                    name=items[item_id].name,
                    text=best_text(pairs[item_id]),
                    score=score,
                    probability=heard.probability,
                    verdict=asked[0].verdict if asked else None,
                    start=start,
                    end=end,
                )
            )
        status = self._keeper.status
        is_said = bool(said) and bool(results) and results[0].probability >= 0.5
        threshold = -1.0 if is_said else self.threshold(serving)
        return Results(serving.version, tuple(results), threshold, status.stale_share)

    def _search_texts(self, serving: Serving, vector: np.ndarray, k: int, query: Query) -> Results:
        found: dict[str, PairView] = {}
        for pair in self._ws.pairs.browse(self._task):
            if pair.is_own:
                found.setdefault(pair.final_text, pair)
        texts = list(found)
        if not texts:
            return Results(serving.version, (), self.threshold(serving), 0.0)
        base = text_vectors(self._ws, serving.aligner.towers, texts)
        scores = serving.aligner.project_text(base) @ vector  # (T,)
        best = np.argsort(-scores, kind="stable")[: max(k, RERANKED_TEXTS) if serving.aligner.reranks else k]
        probability = serving.aligner.calibration.probability(scores)
        medium = query.medium
        if serving.aligner.reranks and (medium is not None or query.item):
            item = self._ws.items.get(query.item) if query.item else None
            states = looked_at(self._ws, serving.aligner, item) if item else medium
            said = serving.aligner.probability_of(states, [texts[i] for i in best], scores[best])
            probability = np.array(probability)
            probability[best] = said
            best = best[np.argsort(-said, kind="stable")]
        best = best[:k]
        results = tuple(
            Result(
                found[texts[i]].item,
                found[texts[i]].name,
                texts[i],
                float(scores[i]),
                float(probability[i]),
                None,
            )
            for i in best
        )
        return Results(serving.version, results, self.threshold(serving), self._keeper.status.stale_share)

    def threshold(self, serving: Serving) -> float:
        """The cosine below which the best answer is no good match in this collection.

        Read from the pairs at hand: for each text, its own item's score when it is in the collection, and the
        best other item's score, which is what would be shown if it were not. The threshold parts the two best
        (Youden 1950). It depends on the collection's size, as the best of many wrong answers does.
        """
        at = (serving.version, len(serving.index))
        with self._lock:
            if at not in self._thresholds:
                self._thresholds[at] = self._fit_threshold(serving)
            return self._thresholds[at]

    def _fit_threshold(self, serving: Serving) -> float:
        pairs = [p for p in self._ws.pairs.browse(self._task, limit=20 * THRESHOLD_PAIRS) if p.is_own]
        pairs = pairs[:: max(1, len(pairs) // THRESHOLD_PAIRS)][:THRESHOLD_PAIRS]
        file = version_file(self._ws, serving.aligner)
        rows = file.rows_of([p.item for p in pairs])
        kept = [(p, r) for p, r in zip(pairs, rows, strict=True) if 0 <= r < len(serving.index)]
        if len(kept) < THRESHOLD_LEAST or len(serving.index) < 2:
            return serving.aligner.calibration.similarity(0.5)
        texts = text_vectors(self._ws, serving.aligner.towers, [p.final_text for p, _ in kept])
        scores, found = serving.index.search(serving.aligner.project_text(texts), 2)
        own_rows = np.array([r for _, r in kept])
        vectors = np.asarray(file.matrix()[own_rows])
        own = np.einsum("nd,nd->n", serving.aligner.project_text(texts), vectors)
        other = np.where(found[:, 0] == own_rows, scores[:, 1], scores[:, 0])
        return best_cut(np.maximum(own, other), other)


def best_cut(present: np.ndarray, absent: np.ndarray) -> float:
    """The value that parts scores of queries with an answer from those without: the greatest Youden's J."""
    cuts = np.unique(np.concatenate([present, absent]))
    above = (present[None, :] >= cuts[:, None]).mean(1)
    false = (absent[None, :] >= cuts[:, None]).mean(1)
    return float(cuts[np.argmax(above - false)])


def best_text(pairs: Sequence[PairView]) -> str:
    """The text to show with an item: a confirmed one, else one it came with, else none."""
    came_with = (p for p in pairs if p.verdict is None and p.is_own)
    pair = next(chain((p for p in pairs if p.is_confirmed), came_with), None)
    return pair.final_text if pair else ""


def nearest_labelled_texts(
    ws: Workspace, aligner: HeadAligner, vector: np.ndarray, task: Task, count: int
) -> list[str]:
    """Confirmed texts, those that fit a (D,) media vector best first: what a captioner proposes from."""
    texts = list(dict.fromkeys(p.final_text for p in ws.pairs.browse(task, training="positive")))
    if not texts:
        return []
    scores = aligner.project_text(text_vectors(ws, aligner.towers, texts)) @ vector
    return [texts[i] for i in np.argsort(-scores, kind="stable")[:count]]
