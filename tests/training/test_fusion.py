"""Heads that look at both sides of a pair: they start as the shared space, learn, and order answers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mmdemo.evaluation.evaluate import evaluate_manifest, evaluate_workspace
from mmdemo.evaluation.measure import measure
from mmdemo.evaluation.metrics import PairTable, evaluate_retrieval, evaluate_table
from mmdemo.evaluation.pair_arrays import PairArrays
from mmdemo.models.device import decide_compute
from mmdemo.models.fused_aligner import FusedAligner
from mmdemo.models.heads.fusion import FusedHead, pair_logits
from mmdemo.models.heads.residual import HEADS, HeadShape
from mmdemo.models.heads.saved import load_head, make_head, save_head
from mmdemo.retrieval.odds import at_search_rate
from mmdemo.retrieval.query import Query
from mmdemo.service.app import App
from mmdemo.training.config import TrainSettings
from mmdemo.training.trainables.head import train_head
from tests.training.test_training import label_samples, run

CPU = decide_compute("cpu")
KINDS = ["concatenation", "cross-attention"]
D, F, CELLS = 8, 20, 5


def needles(n: int = 48, seed: int = 0) -> PairArrays:
    """Each picture has five parts, and its text is that of one of them: the mean of the parts says little."""
    rng = np.random.default_rng(seed)
    kinds = np.eye(D, dtype=np.float32)
    asked = rng.integers(0, D, n)
    cells = np.concatenate([0.1 * rng.normal(size=(n, CELLS, D)), rng.normal(size=(n, CELLS, F - D))], 2)
    for i in range(n):
        others = rng.permutation([k for k in range(D) if k != asked[i]])[: CELLS - 1]
        cells[i, :, :D] += kinds[rng.permutation([asked[i], *others])]
    codes = np.arange(n, dtype=np.int64)
    texts = kinds[asked]
    return PairArrays(
        cells.mean(1).astype(np.float32),
        texts,
        np.ones(n, bool),
        codes,
        asked.astype(np.int64),
        cells=cells.astype(np.float16),
    )


@pytest.mark.parametrize("kind", KINDS)
def test_an_untrained_fused_head_ranks_as_the_base_version_does(kind: str) -> None:
    pairs = needles()
    head = make_head(HeadShape(F, D, 16, kind=kind)).eval()
    own, base = measure(head, pairs, D), measure(None, pairs, D)
    assert np.array_equal(own.text_to_media.first, base.text_to_media.first)
    assert np.array_equal(own.media_to_text.first, base.media_to_text.first)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fused_head_alone_learns_which_pairs_match(kind: str) -> None:
    pairs = needles()
    settings = TrainSettings(
        60, 3e-3, batch=48, hidden=16, dropout=0.0, head=kind, alone=True, loss="matching"
    )
    *_, (_, head) = train_head(pairs, pairs, pairs.features, D, settings, CPU)
    assert isinstance(head, FusedHead) and head.shape.alone
    assert measure(head, pairs, D).text_to_media.recall(1) > 60.0
    untrained = make_head(head.shape).eval()
    assert measure(untrained, pairs, D).text_to_media.recall(1) < 40.0


def test_a_table_of_pairs_is_what_each_pair_gets_alone(tmp_path: Path) -> None:
    pairs = needles(6)
    head = make_head(HeadShape(F, D, 16, kind="cross-attention", alone=True)).eval()
    save_head(head, tmp_path)
    again = load_head(tmp_path)
    assert isinstance(again, FusedHead)
    assert pairs.cells is not None
    table = pair_logits(again, pairs.cells, pairs.features, pairs.texts)
    for i in range(6):
        for j in range(6):
            one = pair_logits(
                again, pairs.cells[i : i + 1], pairs.features[i : i + 1], pairs.texts[j : j + 1]
            )
            assert one[0, 0] == pytest.approx(table[i, j], abs=1e-5)


def test_ranks_by_scores_are_those_by_vectors() -> None:
    rng = np.random.default_rng(0)
    media, text = rng.normal(size=(2, 30, 4)).astype(np.float32)
    ids = [str(i % 20) for i in range(30)], [str(i % 17) for i in range(30)]
    table = media @ text.T
    by_vectors = evaluate_retrieval(media, text, *ids)
    by_scores = evaluate_table(PairTable(lambda rows, columns: table[np.ix_(rows, columns)]), *ids)
    assert by_vectors.as_json() == by_scores.as_json()


def test_an_unsure_label_teaches_less(app: App) -> None:
    pairs = needles(24)
    weights = []
    for sure in (1.0, 0.01):
        weight = np.ones(24, np.float32)
        weight[0] = sure
        settings = TrainSettings(4, 1e-2, batch=24, hidden=16, dropout=0.0)
        *_, (_, head) = train_head(replace(pairs, weight=weight), None, pairs.features, D, settings, CPU)
        media = head.project_media(torch.from_numpy(pairs.features[:1]))
        weights.append(float((media @ head.project_text(torch.from_numpy(pairs.texts[:1])).T).detach()))
    assert weights[0] > weights[1] + 0.01


def test_the_page_is_told_of_each_head_what_it_is_and_whether_it_fuses(app: App) -> None:
    told = app.training.data("image-text")["heads"]
    assert [head["name"] for head in told if head["fuses"]] == KINDS
    assert all(head["about"] == HEADS[head["name"]].about for head in told)
    assert all("about" in vars(head) for head in HEADS.values())  # its own, and not the shared space's


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_fused_version_scores_pairs_and_puts_search_results_in_its_order(app: App, kind: str) -> None:
    label_samples(app, 60)
    done = run(app, promote="ask", head=kind, epochs=6)
    assert done.status == "done" and done.result["after"]["pairs"] > 5, done.message
    app.versions.activate(done.version_id)
    app.context.keeper.update()
    aligner = app.models.aligner("image-text")
    assert isinstance(aligner, FusedAligner)
    found = app.media.search(Query(text="a dog", k=8, everything=True, given=False)).results
    assert len(found) == 8
    sure = [r.probability for r in found]
    assert sure == sorted(sure, reverse=True)
    best = app.media.item(found[0].item)
    said = app.media.align(best, ["a dog"])["scores"][0]
    assert float(at_search_rate(said["probability"])) == pytest.approx(sure[0], abs=0.02)
    assert said["probability"] != pytest.approx(
        float(aligner.calibration.probability(said["similarity"])), abs=1e-3
    )
    texts = app.media.search(Query(item=best.id, target="text", k=5)).results
    assert [r.probability for r in texts] == sorted((r.probability for r in texts), reverse=True)
    measured = evaluate_workspace(app.ws, aligner).as_json()
    assert measured["text_to_media"] == done.result["after"]["text_to_media"]
    manifest = app.data.export("image-text", "jsonl", Path(app.settings.workspace) / "labels").path
    rows = [line for line in manifest.read_text().splitlines() if json.loads(line)["split"] == "held-out"]
    assert len(rows) == done.result["after"]["pairs"]
    manifest.write_text("\n".join(rows[:12]))
    assert evaluate_manifest(aligner, str(manifest), "held-out").retrieval.pairs == 12
