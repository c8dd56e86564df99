"""Retrieval over pairs by a head on cached features."""

from __future__ import annotations

import numpy as np

from mmdemo.evaluation.metrics import Retrieval, evaluate_retrieval, evaluate_scores
from mmdemo.evaluation.pair_arrays import PairArrays
from mmdemo.models.heads.fusion import FusedHead, pair_logits
from mmdemo.models.heads.residual import Projection, ResidualHead
from mmdemo.models.heads.saved import make_head


def measure(head: ResidualHead | None, pairs: PairArrays, dim: int) -> Retrieval:
    """Retrieval over pairs by a head on cached features; None is the base version."""
    if head is not None and next(head.parameters()).device.type != "cpu":
        copy = make_head(head.shape)
        copy.load_state_dict({name: t.cpu() for name, t in head.state_dict().items()})
        head = copy
    projection = Projection(dim, head)
    ids = [str(c) for c in pairs.item_code], [str(c) for c in pairs.text_code]
    if isinstance(head, FusedHead):
        table = pair_logits(head, cells_in(pairs), pairs.features, pairs.texts)
        return evaluate_scores(lambda rows, columns: table[np.ix_(rows, columns)], *ids, pairs.said)
    return evaluate_retrieval(
        media_vectors(projection, pairs), projection.text(pairs.texts), *ids, pairs.said
    )


def media_vectors(projection: Projection, pairs: PairArrays) -> np.ndarray:
    """(N, D) vectors of the media of pairs; of spans of videos by their frames."""
    return projection.media(pairs.features) if pairs.frames is None else projection.spans(pairs.frames)


def cells_in(pairs: PairArrays) -> np.ndarray:
    """(N, T, F) features of the parts of pairs' media; of the whole where no parts are known."""
    return pairs.features[:, None] if pairs.cells is None else pairs.cells
