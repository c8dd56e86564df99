"""Recall at k, median rank and mean average precision, where equal texts count as equal.

Every pair asks once in each direction. What it asks among is each item once and each text once, however many
pairs they are in; a right answer is any item (text) that some pair joins with the query's text (item). Among
equal scores a wrong answer comes before a right one, so a model that scores all alike gains nothing by it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from mmdemo.finite import require_finite
from mmdemo.retrieval.ranking import first_decided, sort_keys

RECALL_AT = (1, 5, 10)
FIGURES = (*(f"R@{k}" for k in RECALL_AT), "MedR", "mAP")
CHUNK = 1024  # queries ranked at once
SHOWN = 5  # answers of a query that are kept, to be looked at
CURE = "Activate another version, or train again at a lower learning rate."
Said = Callable[[int], str]  # what a pair is called in a sentence, by its row
Scores = Callable[[np.ndarray, np.ndarray], np.ndarray]  # of C rows of one side with G of the other: (C, G)


@dataclass(frozen=True)
class Ranks:
    """What each query of one direction got."""

    first: np.ndarray  # (Q,) the rank of the best right answer, from 1
    precision: np.ndarray  # (Q,) average precision, 0..1
    # (Q, S) rows of the pairs whose media or texts come first, S at most `SHOWN`; None: they were not kept
    shown: np.ndarray | None = None

    def __post_init__(self) -> None:
        for values, what in ((self.first, "rank"), (self.precision, "precision")):
            require_finite(values, lambda i, what=what: f"The {what} of query {i + 1}", CURE)  # type: ignore

    def recall(self, k: int) -> float:
        """The share of queries with a right answer in the first k, as a percentage."""
        return 100.0 * float((self.first <= k).mean()) if len(self.first) else 0.0

    def as_json(self) -> dict[str, float | None]:
        """The table's row; percentages 0-100, MedR a rank; null where nobody asked."""
        if not len(self.first):
            return dict.fromkeys(FIGURES)
        row: dict[str, float | None] = {f"R@{k}": round(self.recall(k), 2) for k in RECALL_AT}
        row["MedR"] = round(float(np.median(self.first)), 1)
        row["mAP"] = round(100.0 * float(self.precision.mean()), 2)
        return row


@dataclass(frozen=True)
class Retrieval:
    """Both directions of one evaluation."""

    pairs: int
    text_to_media: Ranks
    media_to_text: Ranks
    note: str = ""  # why any model would be right, so that no figure says anything; empty: they do

    @property
    def told_recall(self) -> float | None:
        """The mean recall as it is told, rounded; None where it says nothing."""
        return None if self.note or not self.pairs else round(self.mean_recall, 2)

    @property
    def mean_recall(self) -> float:
        """The mean of R@1, R@5 and R@10 both ways: the figure that decides a promotion."""
        return float(np.mean(self.recall_by_query()) * 100.0) if self.pairs else 0.0

    def recall_by_query(self) -> np.ndarray:
        """(Q,) each pair's own mean recall, 0..1: what a paired bootstrap draws from."""
        hits = [ranks.first <= k for ranks in (self.text_to_media, self.media_to_text) for k in RECALL_AT]
        return np.mean(np.stack(hits).astype(np.float64), axis=0)

    def first(self, pairs: int) -> Retrieval:
        """That of the first pairs only, at the ranks they have among all."""
        text, media = (
            Ranks(r.first[:pairs], r.precision[:pairs]) for r in (self.text_to_media, self.media_to_text)
        )
        return replace(self, pairs=pairs, text_to_media=text, media_to_text=media)

    def as_json(self) -> dict[str, Any]:
        """The JSON of `evaluate`, less task and model."""
        nothing = dict.fromkeys(FIGURES)
        return {
            "pairs": self.pairs,
            "text_to_media": nothing if self.note else self.text_to_media.as_json(),
            "media_to_text": nothing if self.note else self.media_to_text.as_json(),
        }


def evaluate_retrieval(
    media: np.ndarray,
    text: np.ndarray,
    media_ids: Sequence[str],
    text_ids: Sequence[str],
    said: Said | None = None,
) -> Retrieval:
    """Retrieval both ways over N pairs.

    Args:
        media: (N, D) unit vectors, row i of pair i.
        text: (N, D) unit vectors, row i of pair i.
        media_ids: N ids; equal ids are one item.
        text_ids: N ids; equal ids are one text.
        said: what a pair is called in a sentence; None: by its number and its text's id.

    Raises:
        NumberError: a vector is infinite or not a number.
    """
    said = said or (lambda row: f"pair {row + 1} ({text_ids[row]})")
    return evaluate_table(vector_table(media, text, said), media_ids, text_ids, said)


def vector_table(media: np.ndarray, text: np.ndarray, said: Said) -> PairTable:
    """How (N, D) vectors of media and of texts compare, by their cosines.

    Raises:
        NumberError: a vector is infinite or not a number.
    """
    left, right = media.astype(np.float32), text.astype(np.float32)
    require_finite(left, lambda row: f"The vector of the medium of {said(row)}", CURE)
    require_finite(right, lambda row: f"The vector of the text of {said(row)}", CURE)
    return PairTable(lambda rows, columns: left[rows] @ right[columns].T)


@dataclass(frozen=True)
class PairTable:
    """N pairs whose every medium and text can be compared; row i of either side belongs to pair i."""

    near: Scores  # (C, G) similarities of C rows of media with G rows of texts
    # (K,) numbers by which the candidates of one query are ordered, from (K,) rows of media, (K,) rows of
    # texts and the (K,) similarities of those pairs; None: the similarities order them.
    decide: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray] | None = None
    media_asked: int = 0  # that are decided about for a text
    texts_asked: int = 0  # that are decided about for a medium
    # Further lists in which a row of texts finds G rows of media: each (G,), -inf where it does not.
    lists: Callable[[int, np.ndarray], Sequence[np.ndarray]] = lambda text, media: ()
    # (C, G) numbers of C rows of media with G rows of texts, that order the first `media_asked` and
    # `texts_asked` of each query; None: none do.
    odds: Scores | None = None
    media_less: np.ndarray | None = None  # (N,) what the similarities of media are lessened by; None: nothing
    text_less: np.ndarray | None = None  # (N,) and those of texts

    def of_texts(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """(C, G) what C rows of texts order G rows of media by, the greatest first."""
        near = self.near(columns, rows).T  # (C, G)
        if self.media_less is not None:
            near = near - self.media_less[columns]
        if self.odds is not None:
            return first_decided(near, self.odds(columns, rows).T, self.media_asked)

        def decided(text: int, at: np.ndarray, similarity: np.ndarray) -> np.ndarray:
            assert self.decide is not None
            return self.decide(columns[at], np.full(len(at), text), similarity)

        return self._keys(rows, near, self.media_asked, decided, lambda text: self.lists(text, columns))

    def of_media(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """(C, G) what C rows of media order G rows of texts by, the greatest first."""
        near = self.near(rows, columns)  # (C, G)
        if self.text_less is not None:
            near = near - self.text_less[columns]
        if self.odds is not None:
            return first_decided(near, self.odds(rows, columns), self.texts_asked)

        def decided(medium: int, at: np.ndarray, similarity: np.ndarray) -> np.ndarray:
            assert self.decide is not None
            return self.decide(np.full(len(at), medium), columns[at], similarity)

        return self._keys(rows, near, self.texts_asked, decided, lambda medium: ())

    def _keys(
        self,
        queries: np.ndarray,
        near: np.ndarray,
        depth: int,
        decided: Callable[[int, np.ndarray, np.ndarray], np.ndarray],
        lists: Callable[[int], Sequence[np.ndarray]],
    ) -> np.ndarray:
        if self.decide is None:
            return near
        lines = []
        for query, line in zip(queries.tolist(), near, strict=True):
            told = partial(_told, decided, query, line)
            lines.append(sort_keys(line, depth, told, lists(query)))
        return np.stack(lines) if lines else near


def _told(
    decided: Callable[[int, np.ndarray, np.ndarray], np.ndarray], query: int, line: np.ndarray, at: np.ndarray
) -> np.ndarray:
    return decided(query, at, line[at])


def evaluate_table(
    table: PairTable, media_ids: Sequence[str], text_ids: Sequence[str], said: Said | None = None
) -> Retrieval:
    """Retrieval both ways over N pairs, ranked as a search ranks.

    Args:
        table: how their media and texts compare.
        media_ids: N ids; equal ids are one item.
        text_ids: N ids; equal ids are one text.
        said: what a pair is called in a sentence; None: by its number and its text's id.

    Raises:
        NumberError: a score is infinite or not a number.
    """
    said = said or (lambda row: f"pair {row + 1} ({text_ids[row]})")
    media_code, text_code = codes(media_ids), codes(text_ids)
    joined: set[tuple[int, int]] = set(zip(media_code.tolist(), text_code.tolist(), strict=True))

    def of_media(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        found = table.of_media(rows, columns)
        return require_finite(found, lambda i: f"A score of {said(int(rows[i]))}", CURE)

    def of_texts(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        found = table.of_texts(rows, columns)
        return require_finite(found, lambda i: f"A score of {said(int(rows[i]))}", CURE)

    return Retrieval(
        pairs=len(media_code),
        text_to_media=_rank(of_texts, text_code, media_code, {(t, m) for m, t in joined}),
        media_to_text=_rank(of_media, media_code, text_code, joined),
        note=_without_choice(media_code, text_code),
    )


def _without_choice(media: np.ndarray, text: np.ndarray) -> str:
    """Why there is nothing wrong to answer with; empty: there is."""
    if len(media) == 1:
        return "There is one pair only, so any model is right."
    if len(set(text.tolist())) == 1:
        return "All of them have one text, so any model is right."
    if len(set(media.tolist())) == 1:
        return "All texts are of one item, so any model is right."
    return ""


def codes(ids: Sequence[str]) -> np.ndarray:
    """(N,) int64 numbers, equal for equal ids, in the order in which they first come."""
    number: dict[str, int] = {}
    return np.array([number.setdefault(i, len(number)) for i in ids], dtype=np.int64)


def _rank(
    scores_of: Scores,
    query_code: np.ndarray,
    target_code: np.ndarray,
    joined: set[tuple[int, int]],
) -> Ranks:
    if len(query_code) == 0:
        return Ranks(np.empty(0), np.empty(0))
    _, first_target = np.unique(target_code, return_index=True)
    _, first_query, back = np.unique(query_code, return_index=True, return_inverse=True)
    answers: dict[int, list[int]] = {}
    for query, target in joined:
        answers.setdefault(query, []).append(target)
    first = np.empty(len(first_query))
    precision = np.empty(len(first_query))
    shown = np.empty((len(first_query), min(SHOWN, len(first_target))), np.int64)
    for start in range(0, len(first_query), CHUNK):
        scores = scores_of(first_query[start : start + CHUNK], first_target)  # (C, G)
        own_one = np.array([answers[start + row][0] for row in range(len(scores))])
        best = scores[np.arange(len(scores)), own_one]  # (C,) right when there is only one answer
        first[start : start + CHUNK] = (scores >= best[:, None]).sum(1)
        precision[start : start + CHUNK] = 1.0 / first[start : start + CHUNK]
        shown[start : start + CHUNK] = first_target[_greatest(scores, shown.shape[1])]
        for row, line in enumerate(scores):
            query = start + row
            if len(answers[query]) == 1:
                continue
            right = np.array(answers[query])
            own = np.sort(line[right])[::-1]  # best first
            wrong = np.delete(line, right)
            ahead = (wrong[None, :] >= own[:, None]).sum(1)  # (A,) wrong ones before each right one
            ranks = ahead + np.arange(1, len(own) + 1)
            first[query] = ranks[0]
            precision[query] = np.mean(np.arange(1, len(own) + 1) / ranks)
    return Ranks(first[back], precision[back], shown[back])


def _greatest(scores: np.ndarray, count: int) -> np.ndarray:
    """(C, count) columns of the greatest of (C, G) scores, the greatest first."""
    rows = np.arange(len(scores))[:, None]
    found = np.argpartition(-scores, count - 1, axis=1)[:, :count]
    return found[rows, np.argsort(-scores[rows, found], axis=1, kind="stable")]
