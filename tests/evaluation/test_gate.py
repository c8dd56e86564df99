"""One test decides on every version, with a budget for how often a held-out set is asked."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from mmdemo.errors import DataError
from mmdemo.evaluation.evidence import Evidence, by_chance, nearer, rank_evidence
from mmdemo.evaluation.gate import (
    Question,
    Verdict,
    ask,
    can_succeed,
    items_needed,
    label_seed,
    level,
    sign_flip,
    smallest_visible,
)
from mmdemo.evaluation.metrics import PairTable, evaluate_table
from mmdemo.labeling.snapshot import Example
from mmdemo.settings import Settings
from mmdemo.store.splits import HELD_OUT
from mmdemo.store.workspace import Workspace
from mmdemo.training.foretelling import OF_FOLDS

TASK = "image-text"


def examples(count: int, *, closed: bool = False, texts: int = 0) -> list[Example]:
    return [
        Example(i, i, f"{i:064x}", f"text {i % texts if texts else i}", True, HELD_OUT, closed=closed)
        for i in range(count)
    ]


def evidence(votes: np.ndarray, recall: float = 0.0, chance: float = 9.0) -> Evidence:
    """Ranks that stand `chance` nearer to the top than chance would put them, and the votes nearer after."""
    n = len(votes)
    before = np.full(n, 5.0)
    scores = np.full(n, 0.5), np.full(n, 0.5 + recall)
    by_luck = np.stack([np.full(n, 5.0 + chance), np.ones(n)], 1)
    return Evidence(tuple(f"{i:012x}{i:052x}" for i in range(n)), before, before - votes, scores, by_luck)


def better(n: int, seed: int = 0, mean: float = 0.5) -> Evidence:
    return evidence(np.random.default_rng(seed).normal(mean, 0.7, n), 0.05)


def put(
    ws: Workspace, found: Evidence, validation: Callable[[], Evidence | None] | None, name: str = "v"
) -> Verdict:
    return ask(ws.attempts, Question(TASK, name, "base", found, tuple(range(len(found.items))), validation))


# What is compared


def test_levels_of_all_attempts_together_stay_below_five_percent() -> None:
    assert [round(level(k), 4) for k in range(1, 6)] == [0.0304, 0.0076, 0.0034, 0.0019, 0.0012]
    assert sum(level(k) for k in range(1, 10_000)) < 0.05


def test_the_sign_flip_agrees_with_a_count_of_every_sign() -> None:
    votes = np.random.default_rng(3).normal(0.3, 1, 12)
    signs = np.array(list(itertools.product((-1, 1), repeat=12)))
    exact = float((signs @ votes >= votes.sum() - 1e-9).mean())
    assert sign_flip(votes, 0.03, seed=1) == pytest.approx(exact, abs=0.01)
    assert sign_flip(np.append(votes, np.zeros(50)), 0.03, seed=1) == pytest.approx(exact, abs=0.01)
    assert sign_flip(np.zeros(40), 0.03, seed=1) == 1.0
    assert sign_flip(np.full(60, 0.1), 1e-4, seed=1) <= 1e-4  # draws enough signs for the level


def test_the_seed_is_of_the_labels_whatever_their_order() -> None:
    assert label_seed([3, 1, 2]) == label_seed([1, 2, 3]) != label_seed([1, 2, 4])


def test_versions_that_do_not_differ_pass_no_more_often_than_their_level() -> None:
    rng = np.random.default_rng(0)
    passed = [sign_flip(rng.normal(0, 1, 40), 0.0304, seed) <= 0.0304 for seed in range(300)]
    assert sum(passed) <= 18  # of 300 at 3.04 %: 9.1 expected, 18 is exceeded in 0.4 %


def test_each_item_has_one_vote_however_many_pairs_it_is_in() -> None:
    many = Evidence(
        ("a", "a", "a", "b"),
        np.array([1.0, 1.0, 1.0, 2.0]),
        np.array([0.0, 0.5, 1.0, 2.5]),
        (np.zeros(4), np.zeros(4)),
    )
    assert many.votes().tolist() == [0.5, -0.5]


def test_log_ranks_of_both_ways_are_compared_and_ties_count_against() -> None:
    some = examples(3)
    ids = [e.item for e in some], [e.text for e in some]
    level_scores = evaluate_table(PairTable(lambda r, c: np.zeros((len(r), len(c)))), *ids)
    right = evaluate_table(PairTable(lambda r, c: (r[:, None] == c[None, :]).astype(float)), *ids)
    found = rank_evidence(level_scores, right, some)
    assert found.votes() == pytest.approx(np.full(3, math.log(3)))
    assert found.scores() == (pytest.approx(2 / 3), 1.0)


def test_the_ranks_that_chance_gives_are_those_of_every_order() -> None:
    for gallery, right in ((5, 1), (5, 2), (6, 4)):
        orders = list(itertools.combinations(range(1, gallery + 1), right))
        logs = np.log([min(o) for o in orders])
        assert by_chance(gallery, right) == pytest.approx((logs.mean(), logs.var()))
    assert by_chance(1, 1) == (0.0, 0.0)


def test_of_a_class_only_the_way_from_the_item_counts() -> None:
    some = examples(6, closed=True, texts=2)
    ids = [e.item for e in some], [e.text for e in some]
    right = evaluate_table(PairTable(lambda r, c: (r[:, None] % 2 == c[None, :] % 2).astype(float)), *ids)
    wrong = evaluate_table(PairTable(lambda r, c: (r[:, None] % 2 != c[None, :] % 2).astype(float)), *ids)
    found = rank_evidence(wrong, right, some)
    assert found.votes() == pytest.approx(np.full(6, math.log(2))) and found.scores() == (0.0, 1.0)
    assert found.chance is not None
    assert found.chance[0, 0] == pytest.approx(math.log(2) / 2)


def test_a_rank_that_is_no_number_is_an_error_that_names_the_item(ws: Workspace) -> None:
    for wrong in (math.nan, math.inf, -math.inf):
        votes = np.zeros(40)
        votes[7] = wrong
        with pytest.raises(DataError, match=f"item {7:012x}… is not a finite number"):
            put(ws, evidence(votes), None)
    assert ws.attempts.upcoming(TASK, 40, "log rank").number == 1


def test_without_held_out_labels_the_sentence_says_how_many_are_needed(ws: Workspace) -> None:
    verdict = put(ws, evidence(np.zeros(0)), lambda: better(30))
    assert (verdict.certain, verdict.why, verdict.need, verdict.attempt) == (False, "few", 30, None)
    assert verdict.sentence == "0 held-out items are too few to decide by: 30 more are needed."


@pytest.mark.parametrize(("closed", "texts"), [(True, 1), (False, 1), (False, 0)])
def test_where_a_model_says_the_same_of_all_no_attempt_is_spent_and_a_sentence_says_so(
    ws: Workspace, closed: bool, texts: int
) -> None:
    some = examples(40, closed=closed, texts=texts)  # one class, one text, a text each
    found = evaluate_table(
        PairTable(lambda r, c: np.full((len(r), len(c)), 0.5)), [e.item for e in some], [e.text for e in some]
    )
    verdict = put(ws, rank_evidence(found, found, some), lambda: better(30))
    assert (verdict.certain, verdict.why, verdict.attempt) == (False, "chance", None)
    assert "fit neither version" in verdict.sentence


# What is decided


def test_a_clear_gain_passes_and_says_what_it_is(ws: Workspace) -> None:
    verdict = put(ws, better(60), lambda: better(30, 1))
    assert verdict.certain and verdict.why == "better" and verdict.attempt == 1
    assert verdict.p is not None and verdict.p <= level(1)
    assert "nearer to the top on 60 held-out items (attempt 1)" in verdict.sentence
    assert verdict.nearer == round(nearer(verdict.mean or 0), 1) > 20


def test_fewer_than_thirty_items_decide_nothing_and_cost_nothing(ws: Workspace) -> None:
    verdict = put(ws, better(29), lambda: better(30))
    assert (verdict.certain, verdict.why, verdict.need, verdict.attempt) == (False, "few", 1, None)
    assert ws.attempts.upcoming(TASK, 60, "log rank").number == 1


def test_labels_that_fit_neither_version_are_said_to(ws: Workspace) -> None:
    found = better(60)
    lost = replace(found, chance=np.stack([found.before, np.ones(60)], 1))
    lost = replace(lost, after=found.before + 0.01)
    verdict = put(ws, lost, lambda: better(30))
    assert verdict.why == "chance" and "fit neither version" in verdict.sentence and verdict.attempt is None


def test_a_gain_in_ranks_with_less_recall_is_not_promoted(ws: Workspace) -> None:
    votes = np.random.default_rng(0).normal(0.5, 0.5, 60)
    verdict = put(ws, evidence(votes, recall=-0.01), lambda: better(30))
    assert (verdict.certain, verdict.why, verdict.attempt) == (False, "recall-fell", 1)


def test_no_attempt_is_spent_where_validation_shows_too_little(ws: Workspace) -> None:
    flat = evidence(np.random.default_rng(1).normal(0.05, 0.7, 30))
    verdict = put(ws, better(60), lambda: flat)
    assert (verdict.certain, verdict.why, verdict.attempt) == (False, "not-asked", None)
    assert verdict.need is None and "show hardly any gain" in verdict.sentence  # not: about 190000 more items
    assert put(ws, better(60), lambda: evidence(np.full(30, -0.1))).need is None
    assert "0 validation items do not say" in put(ws, better(60), lambda: None).sentence
    for found in (flat, replace(flat, before=flat.after, after=flat.before)):  # a small gain, and none
        assert "30 validation items" in put(ws, better(60), lambda found=found: found).sentence
        folded = replace(found, of=OF_FOLDS)
        said = put(ws, better(60), lambda folded=folded: folded).sentence
        assert "30 items with a match, each judged by a model that had not seen it," in said
    assert ws.attempts.upcoming(TASK, 60, "log rank").number == 1
    assert put(ws, better(60), lambda: better(30)).attempt == 1


def test_what_is_not_certain_says_how_many_more_would_tell(ws: Workspace) -> None:
    votes = np.random.default_rng(5).normal(0.0, 0.7, 60)
    votes += 0.08 - votes.mean()
    verdict = put(ws, evidence(votes, 0.01), lambda: better(30))
    assert verdict.why == "not-certain" and verdict.need is not None
    z = 2.43 + 0.84  # of the second attempt
    wanted = (z * votes.std(ddof=1) / 0.08) ** 2 - 60
    assert verdict.need == pytest.approx(wanted, rel=0.1)
    assert f"About {verdict.need} more held-out items would tell" in verdict.sentence


def test_the_smallest_gain_that_can_be_seen_is_as_measured() -> None:
    seen = [smallest_visible(n, 1) for n in (30, 60, 112, 250)]
    assert [round(v.points or 0, 1) for v in seen if v] == [10.0, 6.4, 4.2, 2.5]
    second, first = smallest_visible(60, 2), smallest_visible(60, 1)
    assert second and first and (second.points or 0) / (first.points or 1) == pytest.approx(1.2, abs=0.05)
    assert smallest_visible(1, 1) is None


def test_needs_and_foresight_agree() -> None:
    votes = np.random.default_rng(0).normal(0.2, 0.7, 40)
    wanted = items_needed(votes, 1)
    assert wanted and can_succeed(votes, wanted, level(1)) and not can_succeed(votes, wanted // 4, level(1))
    assert can_succeed(votes[:4], 1000, level(1)) is None


# The budget


def test_each_attempt_on_a_held_out_set_has_the_next_number(ws: Workspace) -> None:
    found = [put(ws, better(60, seed), lambda: better(30), f"v{seed}") for seed in range(3)]
    assert [v.attempt for v in found] == [1, 2, 3]
    assert [round(v.alpha or 0, 4) for v in found] == [0.0304, 0.0076, 0.0034]


def test_a_promotion_renews_no_budget_and_a_doubled_set_does(ws: Workspace) -> None:
    assert put(ws, better(60), lambda: better(30)).certain
    assert put(ws, better(119), lambda: better(30)).attempt == 2
    assert put(ws, better(120), lambda: better(30)).attempt == 1
    assert put(ws, better(200), lambda: better(30)).attempt == 2
    assert put(ws, better(240), lambda: better(30)).attempt == 1


def test_each_task_has_a_budget_of_its_own(ws: Workspace) -> None:
    put(ws, better(60), lambda: better(30))
    assert ws.attempts.upcoming("speech-text", 60, "log rank").number == 1


def test_who_chooses_among_versions_that_were_shown_pays_for_each(ws: Workspace) -> None:
    for i in range(4):
        assert put(ws, better(60, i), lambda: None, f"v{i}").attempt is None
    assert put(ws, better(60, 3), None, "v3").attempt == 4  # the best of four is as good as four attempts
    assert put(ws, better(60, 9), lambda: better(30), "v9").attempt == 5
    assert put(ws, better(60, 9), None, "v9").attempt == 6  # none was shown since


def test_an_attempt_that_was_broken_off_is_spent(ws: Workspace) -> None:
    ws.attempts.spend(TASK, 60, "v", "base", "log rank")
    assert put(ws, better(60), lambda: better(30)).attempt == 2


@pytest.mark.parametrize("database_url", [""], ids=["sqlite"])  # what is counted is the same on both
@pytest.mark.parametrize("kind", ["worse", "equal"])
def test_chains_of_twenty_attempts_do_not_end_with_a_worse_version(ws: Workspace, kind: str) -> None:
    """Twenty chains: at the promised 5 %, more than 4 come in 0.3 % of cases; by recall alone most err."""
    promoted = higher = 0
    for chain in range(20):
        rng = np.random.default_rng(chain)
        task, passed, luck = f"task {chain}"[:16], False, False
        for attempt in range(20):
            votes = rng.normal(-0.05 if kind == "worse" else 0.0, 0.7, 60)
            found = evidence(votes, recall=float(votes.mean()))
            foreseen = evidence(rng.normal(-0.05 if kind == "worse" else 0.0, 0.7, 30))
            question = Question(task, f"v{attempt}", "base", found, (chain, attempt), lambda e=foreseen: e)
            passed |= ask(ws.attempts, question).certain
            luck |= found.scores()[1] > found.scores()[0]
        promoted, higher = promoted + passed, higher + luck
    assert promoted <= 4 and higher >= 15


@pytest.fixture
def ws(settings: Settings, database_url: str):  # type: ignore[no-untyped-def]
    """An empty workspace over each database."""
    workspace = Workspace(replace(settings, database_url=database_url))
    yield workspace
    workspace.close()
