"""The temporal head: it starts as the mean, and learns what a mean cannot."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mmdemo.evaluation.measure import measure
from mmdemo.evaluation.pair_arrays import PairArrays
from mmdemo.models.device import decide_compute
from mmdemo.models.heads.residual import HeadShape, Projection, ResidualHead, Sequences
from mmdemo.models.heads.saved import load_head, make_head, save_head
from mmdemo.training.config import TrainSettings
from mmdemo.training.trainables.head import train_head

F, D = 24, 8


def _spans(lengths: list[int], seed: int = 0) -> Sequences:
    rows = np.random.default_rng(seed).standard_normal((sum(lengths), F)).astype(np.float32)
    return Sequences(rows, np.cumsum([0, *lengths]))


def test_an_untrained_temporal_head_is_the_mean_of_the_frames() -> None:
    spans = _spans([1, 5, 3])
    head = make_head(HeadShape(F, D, hidden=16, kind="temporal"))
    untrained, base = Projection(D, head), Projection(D, None)
    assert np.allclose(untrained.spans(spans), base.spans(spans), atol=1e-5)
    assert np.allclose(
        untrained.frames(spans.rows, [(0, 1), (1, 6), (6, 9)]), base.media(spans.rows), atol=1e-5
    )
    means = np.stack([spans.rows[a:b].mean(0) for a, b in ((0, 1), (1, 6), (6, 9))])[:, :D]
    assert np.allclose(base.spans(spans), means / np.linalg.norm(means, axis=1, keepdims=True), atol=1e-5)


def _ordered(seed: int) -> PairArrays:
    """Spans that show A then B, or B then A: their means are equal but for noise, their texts are not."""
    a, b = np.random.default_rng(3).standard_normal((2, F)).astype(np.float32)
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(40):
        order = [a, a, a, b, b, b] if i % 2 else [b, b, b, a, a, a]
        rows.append(np.stack(order) + 0.05 * rng.standard_normal((6, F)).astype(np.float32))
    frames = Sequences(np.concatenate(rows), np.arange(0, 241, 6))
    codes = np.arange(40)
    texts = np.eye(D, dtype=np.float32)[codes % 2]
    return PairArrays(frames.means(), texts, np.ones(40, bool), codes, codes % 2, frames)


def _trained(kind: str) -> tuple[ResidualHead, PairArrays]:
    """A head that was trained on such spans, and others to measure it on."""
    settings = TrainSettings(epochs=60, learning_rate=2e-3, dropout=0.0, hidden=32, head=kind)
    train = _ordered(1)
    assert train.frames is not None
    *_, (_, head) = train_head(train, None, train.frames.rows, D, settings, decide_compute("cpu"))
    return head, _ordered(2)


def test_a_temporal_head_learns_the_order_of_frames_and_a_residual_one_cannot() -> None:
    temporal, pairs = _trained("temporal")
    assert measure(temporal, pairs, D).media_to_text.recall(1) == 100.0
    residual, pairs = _trained("residual")
    assert measure(residual, pairs, D).media_to_text.recall(1) < 75.0


def test_a_span_has_one_vector_however_it_is_padded_and_a_frame_sees_only_its_shot() -> None:
    head, pairs = _trained("temporal")
    assert pairs.frames is not None
    alone = Projection(D, head).spans(pairs.frames.take(np.array([0])))
    longer = Sequences(np.concatenate([pairs.frames.rows[:6], pairs.frames.rows[:20]]), np.array([0, 6, 26]))
    assert np.allclose(Projection(D, head).spans(longer)[0], alone[0], atol=1e-5)
    apart = Projection(D, head).frames(pairs.frames.rows[:12], [(0, 6), (6, 12)])
    first = Projection(D, head).frames(pairs.frames.rows[:6], [(0, 6)])
    assert np.allclose(apart[:6], first, atol=1e-5)


def test_a_temporal_head_comes_back_from_disk_as_it_was(tmp_path: Path) -> None:
    head, pairs = _trained("temporal")
    save_head(head, tmp_path)
    back = load_head(tmp_path)
    assert back.shape.kind == "temporal" and pairs.frames is not None
    assert np.array_equal(Projection(D, back).spans(pairs.frames), Projection(D, head).spans(pairs.frames))
