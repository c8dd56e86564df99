"""Every loss equals an independent computation, element by element, with marks, repeats and unsure labels."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from mmdemo.training.losses import (
    IGNORED,
    LOSSES,
    Batch,
    BinaryMatching,
    CaptionCrossEntropy,
    CheckedLoss,
    HardTriplet,
    InfoNCE,
    PairwiseSigmoid,
    RowError,
)

SCALE, BIAS, MARK, MARGIN = 7.0, -2.5, 4.0, 0.2
R = 9


def example(seed: int, fused: bool = False) -> Batch:
    rng = np.random.default_rng(seed)

    def unit() -> torch.Tensor:
        rows = rng.normal(size=(R, 5))
        return torch.tensor(rows / np.linalg.norm(rows, axis=1, keepdims=True))

    return Batch(
        media=unit(),
        text=unit(),
        match=torch.tensor(rng.random(R) < 0.6),
        item_code=torch.tensor(rng.integers(0, 6, R)),
        text_code=torch.tensor(rng.integers(0, 7, R)),
        weight=torch.tensor(rng.choice([0.5, 1.0], R)),
        logits=torch.tensor(rng.normal(size=(R, R))) if fused else None,
    )


def known(batch: Batch) -> tuple[list[list[bool]], list[list[bool]]]:
    """Positives and marked negatives, pair by pair."""
    item, text, match = batch.item_code.tolist(), batch.text_code.tolist(), batch.match.tolist()
    said = {(item[i], text[i]) for i in range(R) if match[i]}
    denied = {(item[i], text[i]) for i in range(R) if not match[i]} - said
    return (
        [[(item[r], text[c]) in said for c in range(R)] for r in range(R)],
        [[(item[r], text[c]) in denied for c in range(R)] for r in range(R)],
    )


def weighted(rows: list[float | None], weight: list[float]) -> float:
    counted = [(loss, w) for loss, w in zip(rows, weight, strict=True) if loss is not None]
    return sum(loss * w for loss, w in counted) / sum(w for _, w in counted)


def both_ways(batch: Batch, scores: np.ndarray, row_loss: object) -> float:
    positive, marked = known(batch)
    weight = batch.weight.tolist()  # type: ignore[union-attr]
    found = []
    for flip in (False, True):
        rows = []
        for r in range(R):
            line = [scores[c][r] if flip else scores[r][c] for c in range(R)]
            yes = [c for c in range(R) if (positive[c][r] if flip else positive[r][c])]
            no = [c for c in range(R) if (marked[c][r] if flip else marked[r][c])]
            rows.append(row_loss(line, yes, no))  # type: ignore[operator]
        found.append(weighted(rows, weight))
    return sum(found) / 2


def infonce(line: list[float], yes: list[int], no: list[int]) -> float | None:
    if not yes:
        return None
    lifted = [math.exp(SCALE * s) * (MARK if c in no else 1) for c, s in enumerate(line)]
    return -math.log(sum(lifted[c] for c in yes) / sum(lifted))


def triplet(line: list[float], yes: list[int], no: list[int]) -> float | None:
    if not yes:
        return None
    own = min(line[c] for c in yes)
    assumed = [max(0.0, MARGIN + s - own) for c, s in enumerate(line) if c not in yes and c not in no]
    told = [max(0.0, MARGIN + line[c] - own) for c in no]
    return max(assumed, default=0.0) + MARK * max(told, default=0.0)


def softplus(x: float) -> float:
    return math.log1p(math.exp(-abs(x))) + max(x, 0.0)


def matching(line: list[float], yes: list[int], no: list[int]) -> float | None:
    if not yes and not no:
        return None
    assumed = [s for c, s in enumerate(line) if c not in yes and c not in no]
    loss = np.mean([softplus(-line[c]) for c in yes]) if yes else 0.0
    loss += softplus(max(assumed)) if assumed else 0.0
    return float(loss + MARK * (np.mean([softplus(line[c]) for c in no]) if no else 0.0))


@pytest.mark.parametrize("seed", range(6))
def test_each_loss_of_pairs_agrees_with_a_computation_pair_by_pair(seed: int) -> None:
    batch = example(seed)
    scale, bias = torch.tensor(SCALE), torch.tensor(BIAS)
    cosines = (batch.media @ batch.text.T).numpy()
    assert float(InfoNCE(MARK)(batch, scale, bias)) == pytest.approx(both_ways(batch, cosines, infonce))
    assert float(HardTriplet(MARK)(batch, scale, bias)) == pytest.approx(both_ways(batch, cosines, triplet))
    logits = SCALE * cosines + BIAS
    assert float(BinaryMatching(MARK)(batch, scale, bias)) == pytest.approx(
        both_ways(batch, logits, matching)
    )
    positive, marked = known(batch)
    rows: list[float | None] = []
    for r in range(R):
        cells = [softplus(-logits[r][c] if positive[r][c] else logits[r][c]) for c in range(R)]
        rows.append(sum(v * (MARK if marked[r][c] else 1) for c, v in enumerate(cells)))
    slow = weighted(rows, batch.weight.tolist())  # type: ignore[union-attr]
    assert float(PairwiseSigmoid(MARK)(batch, scale, bias)) == pytest.approx(slow)


def test_binary_matching_judges_by_a_fused_heads_logits_where_it_has_them() -> None:
    batch = example(1, fused=True)
    assert batch.logits is not None
    slow = both_ways(batch, batch.logits.numpy(), matching)
    one = torch.tensor(1.0)
    assert float(BinaryMatching(MARK)(batch, one, one)) == pytest.approx(slow)


EDGES = {
    "one pair": ([0], [0], [True]),
    "all the same text": ([0, 1, 2], [0, 0, 0], [True, True, True]),
    "all the same item": ([0, 0, 0], [0, 1, 2], [True, True, True]),
    "one match among mismatches": ([0, 1, 2], [0, 1, 2], [True, False, False]),
    "mismatches of the same text": ([0, 1, 2], [0, 0, 0], [True, False, False]),
}


def edge(kind: str, weight: float = 1.0) -> Batch:
    items, texts, match = EDGES[kind]
    unit = torch.nn.functional.normalize
    g = torch.Generator().manual_seed(3)
    media, text = (unit(torch.randn(len(items), 5, generator=g), dim=1).requires_grad_() for _ in range(2))
    codes = torch.tensor(items), torch.tensor(texts)
    return Batch(media, text, torch.tensor(match), *codes, torch.full((len(items),), weight))


@pytest.fixture(params=[*LOSSES, "of a package"])
def loss(request: pytest.FixtureRequest) -> Iterator[CheckedLoss]:
    """Each loss in turn as trainings call it, that of a package too."""
    if request.param == "of a package":
        LOSSES.add(request.param, InfoNCE)
    yield CheckedLoss(request.param, MARK)
    if request.param == "of a package":
        LOSSES.remove(request.param)


@pytest.mark.parametrize("kind", EDGES)
@pytest.mark.parametrize("weight", [1.0, 0.0])
def test_every_loss_and_its_gradient_are_numbers_however_little_a_batch_holds(
    kind: str, weight: float, loss: CheckedLoss
) -> None:
    batch = edge(kind, weight)
    scale, bias = torch.tensor(SCALE, requires_grad=True), torch.tensor(BIAS, requires_grad=True)
    value = loss(batch, scale, bias)
    value.backward()
    assert torch.isfinite(value)
    for t in (batch.media, batch.text, scale, bias):
        assert t.grad is None or torch.isfinite(t.grad).all()


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
@pytest.mark.parametrize("side", ["media", "text", "weight"])
def test_every_loss_names_the_one_example_that_is_no_number(
    side: str, wrong: float, loss: CheckedLoss
) -> None:
    batch = example(0)
    getattr(batch, side)[3] = wrong
    with pytest.raises(RowError, match="of example 4 of a batch is infinite or not a number") as told:
        loss(batch, torch.tensor(SCALE), torch.tensor(BIAS))
    assert "cat.jpg with “a cat”" in str(told.value.of("cat.jpg with “a cat”"))


def test_no_loss_is_a_number_where_nothing_of_the_batch_is_one(loss: CheckedLoss) -> None:
    batch = example(0)
    batch.media[:] = math.nan
    assert not torch.isfinite(loss(batch, torch.tensor(SCALE), torch.tensor(BIAS)))
    good = example(0)
    assert not torch.isfinite(loss(good, torch.tensor(math.nan), torch.tensor(math.nan))) or isinstance(
        loss._loss, HardTriplet
    )


@pytest.mark.parametrize("name", LOSSES)
def test_a_marked_mismatch_is_pushed_away_harder_than_an_assumed_one(name: str) -> None:
    pushes = []
    for match in (False, True):
        media = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
        text = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.8, 0.6]], requires_grad=True)
        item, words = torch.tensor([0, 1, 0 if not match else 2]), torch.tensor([0, 1, 2])
        batch = Batch(media, text, torch.tensor([True, True, match]), item, words)
        LOSSES[name](MARK)(batch, torch.tensor(5.0), torch.tensor(-2.0)).backward()
        pushes.append(float((text.grad[2] * media[0]).sum()))  # type: ignore[index]
    assert pushes[0] > pushes[1] and pushes[0] > 0


def test_the_loss_of_captions_agrees_with_a_computation_token_by_token() -> None:
    rng = np.random.default_rng(0)
    logits = torch.tensor(rng.normal(size=(3, 4, 6)))
    wanted = torch.tensor([[1, 2, 3, IGNORED], [4, 5, IGNORED, IGNORED], [0, 1, 2, 3]])
    match, weight = torch.tensor([True, False, True]), torch.tensor([1.0, 1.0, 0.5])
    total = count = 0.0
    for b in range(3):
        for i in range(4):
            token = int(wanted[b, i])
            if token == IGNORED:
                continue
            e = np.exp(logits[b, i].numpy())
            p = e[token] / e.sum()
            total += float(weight[b]) * (-math.log(p) if match[b] else -2.0 * math.log(1 - p))
            count += float(weight[b])
    assert float(CaptionCrossEntropy(2.0)(logits, wanted, match, weight)) == pytest.approx(total / count)
    plain = torch.nn.functional.cross_entropy(logits.flatten(0, 1), wanted.flatten(), ignore_index=IGNORED)
    assert float(CaptionCrossEntropy()(logits, wanted)) == pytest.approx(float(plain))
