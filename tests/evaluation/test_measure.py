"""Versions measured on pairs: each judged with all, asked once, again and again, or in parts."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from mmdemo.evaluation import measure as measuring
from mmdemo.evaluation.measure import known_of, measure
from mmdemo.evaluation.pair_arrays import BankArrays, PairArrays
from mmdemo.models.heads.residual import HeadShape, ResidualHead
from mmdemo.models.judge import Judge
from mmdemo.service.app import App
from tests.conftest import TASK
from tests.models.test_calibration import drawing_pairs

DIM = 384


@pytest.fixture
def pairs(app: App) -> PairArrays:
    """Thirty drawings with their titles, judged by what ships."""
    aligner = app.models.aligner(TASK)
    return replace(drawing_pairs(aligner, 30), grounds=aligner.towers.grounds)


def some_head(pairs: PairArrays, seed: int) -> ResidualHead:
    """A head that moves every vector a little."""
    torch.manual_seed(seed)
    head = ResidualHead(HeadShape(pairs.features.shape[1], DIM, hidden=16))
    head.standardise(torch.from_numpy(pairs.features))
    torch.nn.init.normal_(head.media_out.weight, std=0.02)
    torch.nn.init.normal_(head.text.weight, std=0.02)
    return head.eval()


def test_what_no_head_changes_is_asked_once_and_every_head_is_measured_as_before(
    pairs: PairArrays, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads = [some_head(pairs, seed) for seed in range(3)]
    each = [measure(head, pairs, DIM).recall_by_query() for head in heads]
    assert any((a != b).any() for a, b in pairwise(each))  # the heads differ
    known = known_of(pairs, DIM)
    assert known

    def asked_again(*_: object) -> None:
        raise AssertionError("the classifier or the base version was asked again")

    monkeypatch.setattr(Judge, "of_any_head", asked_again)
    for head, before in zip(heads, each, strict=True):
        assert (measure(head, pairs, DIM, known=known).recall_by_query() == before).all()


def test_pairs_too_many_to_judge_at_once_are_judged_in_parts_with_the_same_ranks(
    pairs: PairArrays, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = some_head(pairs, 0)
    whole = measure(head, pairs, DIM)
    monkeypatch.setattr(measuring, "WHOLE", 10)
    monkeypatch.setattr(measuring, "JUDGED", 7)
    assert known_of(pairs, DIM) is None
    parts = measure(head, pairs, DIM)
    assert (parts.text_to_media.first == whole.text_to_media.first).all()
    assert (parts.media_to_text.first == whole.media_to_text.first).all()


def test_few_pairs_are_ranked_among_others_of_the_collection(pairs: PairArrays) -> None:
    few = pairs.take(np.arange(6))
    assert len(few.among(20)) == 6  # without a collection they stand alone
    few = replace(few, bank=BankArrays(pairs.features[6:], pairs.texts[6:]))
    alone, among = measure(None, few, DIM), measure(None, few.among(20), DIM).first(6)
    assert len(few.among(20)) == 26 and among.pairs == 6
    for one, other in (
        (alone.text_to_media, among.text_to_media),
        (alone.media_to_text, among.media_to_text),
    ):
        assert one.first.max() <= 6 < other.first.max() and (one.first <= other.first).all()


def test_the_vectors_of_measured_pairs_are_made_once_for_comparing_and_for_judging(
    pairs: PairArrays, monkeypatch: pytest.MonkeyPatch
) -> None:
    head, plain, asked = some_head(pairs, 0), ResidualHead.project_media, []

    def counted(self: ResidualHead, features: torch.Tensor) -> torch.Tensor:
        asked.append(features)
        return plain(self, features)

    monkeypatch.setattr(ResidualHead, "project_media", counted)
    measure(head, pairs, DIM)
    own = torch.from_numpy(pairs.features).float()
    assert sum(len(seen) == len(own) and torch.equal(seen, own) for seen in asked) == 1
    assert len(asked) > 1  # of what they are compared with
