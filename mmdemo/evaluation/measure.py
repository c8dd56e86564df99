"""Retrieval over pairs by a head on cached features, in the order in which a search shows its answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

import numpy as np

from mmdemo.evaluation.metrics import PairTable, Retrieval, evaluate_table, vector_table
from mmdemo.evaluation.pair_arrays import BankArrays, PairArrays
from mmdemo.models.aligner import judge_of
from mmdemo.models.calibration import PairFit
from mmdemo.models.fused_aligner import RERANKED
from mmdemo.models.heads.fusion import FusedHead, pair_logits
from mmdemo.models.heads.residual import Projection, ResidualHead
from mmdemo.models.heads.saved import make_head
from mmdemo.models.video.aligner import clip_vectors
from mmdemo.models.video.moments import best_scores
from mmdemo.retrieval.hubness import above_mean, reached
from mmdemo.retrieval.odds import DECIDED, knows_more
from mmdemo.retrieval.video.search import LOOKED_AT

JUDGED = 128  # media with all texts at once
WHOLE = 1024  # pairs, of which each medium is judged with each text once for both directions


def measure(
    head: ResidualHead | None,
    pairs: PairArrays,
    dim: int,
    fit: PairFit | None = None,
    known: Mapping[str, np.ndarray] | None = None,
) -> Retrieval:
    """Retrieval over pairs by a head on cached features; None is the base version.

    Args:
        head: the version's.
        pairs: what is measured on.
        dim: D, the shared space.
        fit: the version's own, of all that is known of a pair; None: the one that ships.
        known: `known_of` of the same pairs, where heads are measured on them again and again.

    Raises:
        UserError: a score is no number.
    """
    if head is not None and next(head.parameters()).device.type != "cpu":
        copy = make_head(head.shape)
        copy.load_state_dict({name: t.cpu() for name, t in head.state_dict().items()})
        head = copy
    projection = _Once(dim, head, pairs)
    if pairs.clips is not None:
        table = _of_clips(projection, pairs)
    elif isinstance(head, FusedHead):
        table = _of_fused(projection, head, pairs)
    else:
        table = _judged(_of_vectors(projection, pairs), projection, pairs, fit, known)
    ids = [str(c) for c in pairs.item_code], [str(c) for c in pairs.text_code]
    return evaluate_table(table, *ids, pairs.said)


class _Once(Projection):
    """A projection that makes the vectors of pairs once: they are compared first and judged then."""

    def __init__(self, dim: int, head: ResidualHead | None, pairs: PairArrays) -> None:
        super().__init__(dim, head)
        self._pairs = pairs

    @cached_property
    def _media(self) -> np.ndarray:
        return super().media(self._pairs.features)

    @cached_property
    def _texts(self) -> np.ndarray:
        return super().text(self._pairs.texts)

    def media(self, features: np.ndarray) -> np.ndarray:
        """See `Projection.media`."""
        return self._media if features is self._pairs.features else super().media(features)

    def text(self, vectors: np.ndarray) -> np.ndarray:
        """See `Projection.text`."""
        return self._texts if vectors is self._pairs.texts else super().text(vectors)


def _of_vectors(projection: Projection, pairs: PairArrays) -> PairTable:
    media, text = media_vectors(projection, pairs), projection.text(pairs.texts)
    space, asked = vector_table(media, text, pairs.said), pairs.asked
    if asked is None:
        return _without_hubs(space, projection, media, text, pairs.bank)
    return PairTable(space.near, asked.numbers, asked.media_asked, asked.texts_asked, asked.lists)


def _of_fused(projection: Projection, head: FusedHead, pairs: PairArrays) -> PairTable:
    """The nearest in the shared space, in the order of the head's own logits."""
    space = _of_vectors(projection, pairs)
    table = pair_logits(head, cells_in(pairs), pairs.features, pairs.texts)
    return replace(
        space,
        decide=lambda media, texts, similarity: table[media, texts].astype(np.float64),
        media_asked=RERANKED,
        texts_asked=RERANKED,
    )


def known_of(pairs: PairArrays, dim: int) -> dict[str, np.ndarray] | None:
    """What is known of N pairs whatever a head learned, (N, N) of each name, for `measure`; None: too many
    pairs to keep it, or nothing is known.
    """
    if pairs.grounds is None or pairs.clips is not None or len(pairs) > WHOLE:
        return None
    judge = judge_of(pairs.grounds, Projection(dim, None), pairs.grounds.tuned)
    return None if judge is None else judge.of_any_head(pairs.features, pairs.texts)


def _judged(
    table: PairTable,
    projection: Projection,
    pairs: PairArrays,
    fit: PairFit | None,
    known: Mapping[str, np.ndarray] | None,
) -> PairTable:
    """The first of each query in the order of all that is known of them, where more is than a similarity."""
    if pairs.grounds is None:
        return table
    judge = judge_of(pairs.grounds, projection, fit)
    if judge is None or not knows_more(judge):
        return table
    whole = judge.log_odds(pairs.features, pairs.texts, known) if len(pairs) <= WHOLE else None

    def odds(media: np.ndarray, texts: np.ndarray) -> np.ndarray:
        if whole is not None:
            return whole[np.ix_(media, texts)]
        parts = [media[i : i + JUDGED] for i in range(0, len(media), JUDGED)]
        return np.concatenate([judge.log_odds(pairs.features[p], pairs.texts[texts]) for p in parts])

    return replace(table, odds=odds, media_asked=DECIDED, texts_asked=DECIDED)


def _without_hubs(
    table: PairTable, projection: Projection, media: np.ndarray, text: np.ndarray, bank: BankArrays | None
) -> PairTable:
    """The table with what the similarities are lessened by, of either side that has a bank."""
    if bank is None:
        return table
    return replace(
        table,
        media_less=above_mean(reached(media, projection.text(bank.texts))),
        text_less=above_mean(reached(text, projection.media(bank.features))),
    )


def _of_clips(projection: Projection, pairs: PairArrays) -> PairTable:
    """Videos or spans of them by their best frame, the first of them in the order of their best moment."""
    assert pairs.clips is not None
    vectors = [clip_vectors(projection, clip) for clip in pairs.clips]  # each (M, D)
    text = projection.text(pairs.texts)
    moments: dict[int, np.ndarray] = {}

    def near(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return np.stack([(vectors[row] @ text[columns].T).max(0) for row in rows.tolist()])

    def decide(media: np.ndarray, texts: np.ndarray, similarity: np.ndarray) -> np.ndarray:
        for row in set(media.tolist()) - moments.keys():
            clip = pairs.clips[row]  # type: ignore[index]
            moments[row] = best_scores(clip.times, vectors[row] @ text.T, clip.shots)
        return np.array([moments[m][t] for m, t in zip(media.tolist(), texts.tolist(), strict=True)])

    return PairTable(near, decide, LOOKED_AT, LOOKED_AT)


def media_vectors(projection: Projection, pairs: PairArrays) -> np.ndarray:
    """(N, D) vectors of the media of pairs; of spans of videos by their frames."""
    return projection.media(pairs.features) if pairs.frames is None else projection.spans(pairs.frames)


def cells_in(pairs: PairArrays) -> np.ndarray:
    """(N, T, F) features of the parts of pairs' media; of the whole where no parts are known."""
    return pairs.features[:, None] if pairs.cells is None else pairs.cells
