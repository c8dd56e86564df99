"""The gate: whether a version is better than another, by one test for every method and task.

Before and after are compared pair by pair on held-out labels, by the logarithm of the ranks that a search
gives the right answers, or by the errors of texts. One vote an item; a one-sided sign-flip test (Fisher 1935)
says how often chance alone would do as well. The same held-out set is asked again and again, so its k-th
attempt has the level 0.05 * 6 / (pi^2 k^2), which together never pass 0.05; a set that has doubled begins
anew. An attempt is spent only when pairs that were neither trained on nor held out say that it can succeed.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from mmdemo.evaluation.evidence import LOG_RANKS, SPREAD, Evidence, Unit, nearer
from mmdemo.store.attempts import AttemptLog

LEVEL = 0.05  # of all attempts on one held-out set together
LEAST_ITEMS = 30  # distinct held-out items, below which nothing is decided
FLIPS = 20_000
FLIPPED_AT_ONCE = 4096
CHANCE_Z = 3.0  # true labels stand at least 3.5 above chance with 30 items, 7.0 with 60
POWER_Z = 0.84  # of the normal distribution: seen in 80 of 100 cases
MOST_WANTED = 10_000  # held-out items: who is asked for more is told that there is hardly a gain
LEAST_ASKED = 5  # validation items, below which they say nothing


def level(attempt: int) -> float:
    """What the k-th attempt on a held-out set may err by: the first has 3.0 %, the second 0.76 %."""
    return LEVEL * 6 / (math.pi**2 * attempt**2)


def sign_flip(votes: np.ndarray, alpha: float, seed: int) -> float:
    """The chance that (n,) votes of random sign sum up to as much: one-sided, the true signs counted in."""
    moved = np.asarray(votes, np.float64)
    moved = moved[moved != 0.0]
    total, flips = float(moved.sum()), math.ceil(max(FLIPS, 20 / alpha))
    rng, reached = np.random.default_rng(seed), 0
    for start in range(0, flips, FLIPPED_AT_ONCE):
        count = min(FLIPPED_AT_ONCE, flips - start)
        bits = np.unpackbits(rng.integers(0, 256, (count, -(-len(moved) // 8)), np.uint8), axis=1)
        signs = bits[:, : len(moved)].astype(np.float64) * 2 - 1
        reached += int((signs @ moved >= total - 1e-9).sum())
        if 1 + reached > alpha * (flips + 1):  # above the level whatever the other draws say
            return (1 + reached) / (start + count + 1)
    return (1 + reached) / (flips + 1)


def label_seed(labels: Sequence[int]) -> int:
    """The seed of a test: of the labels that are held out, and so of nothing that anybody chose."""
    return int.from_bytes(hashlib.sha256(json.dumps(sorted(labels)).encode()).digest()[:8], "big")


def can_succeed(votes: np.ndarray, items: int, alpha: float) -> bool | None:
    """Whether `items` held-out items would let through a gain like that of (v,) validation votes; None: they
    are too few to say.
    """
    if len(votes) < LEAST_ASKED:
        return None
    spread = float(votes.std(ddof=1))
    if spread == 0.0:
        return bool(votes.mean() > 0)
    return bool(votes.mean() * math.sqrt(items) / spread >= z_of(alpha))


def z_of(alpha: float) -> float:
    """The point of the normal distribution above which `alpha` of it lies."""
    return NormalDist().inv_cdf(1 - alpha)


def items_needed(votes: np.ndarray, attempt: int) -> int | None:
    """Held-out items with which a gain like that of the votes is let through in 80 of 100 cases, at that
    attempt; None: there is no gain.
    """
    mean = float(votes.mean()) if len(votes) else 0.0
    if mean <= 0:
        return None
    spread = float(votes.std(ddof=1)) if len(votes) > 1 else SPREAD
    return max(LEAST_ITEMS, math.ceil(((z_of(level(attempt)) + POWER_Z) * spread / mean) ** 2))


@dataclass(frozen=True)
class Visible:
    """The smallest gain that is seen in 80 of 100 cases."""

    mean: float  # in the unit
    points: float | None  # about so much mean recall; None: the unit is no rank

    def as_json(self, unit: Unit = LOG_RANKS) -> dict[str, Any]:
        """For a page, with its words."""
        return {"mean": self.mean, "points": self.points, "sentence": unit.said(self.mean)}


def smallest_visible(
    items: int, attempt: int, spread: float | None = None, unit: Unit = LOG_RANKS
) -> Visible | None:
    """With so many held-out items, at that attempt; None: it cannot be said yet.

    Args:
        items: distinct held-out ones.
        attempt: k.
        spread: of an item's difference when it was measured last.
        unit: what is compared.
    """
    wide = spread or unit.spread
    if items < 2 or wide is None:
        return None
    z = z_of(level(attempt)) + POWER_Z
    # 10 points at 30 items, 2.5 at 250: fitted to drawings, 25 to 200 labels, 40 splits
    points = 10 * (30 / items) ** 0.65 * z / 2.72 if unit is LOG_RANKS else None
    return Visible(z * wide / math.sqrt(items), points)


@dataclass(frozen=True)
class Question:
    """Whether a version is better than another, on held-out labels."""

    task: str
    version: str
    against: str
    evidence: Evidence
    labels: tuple[int, ...]  # the held-out ones
    # What pairs say that were neither learned from nor held out, measured when it is wanted; None: a person
    # chose the version, so nothing else need say whether it is worth an attempt.
    validation: Callable[[], Evidence | None] | None = None
    annotator: str = ""


@dataclass(frozen=True)
class Verdict:
    """What the gate says of a version; what it does not know is None."""

    certain: bool
    # better, not-certain, worse, recall-fell, few, chance, not-asked, no-promotion, asked or unmeasured
    why: str
    sentence: str
    items: int = 0  # distinct held-out ones
    attempt: int | None = None  # the number that was spent
    alpha: float | None = None
    p: float | None = None
    mean: float | None = None  # difference an item, above 0 where it got better
    spread: float | None = None  # its standard deviation over items
    unit: str = LOG_RANKS.name
    nearer: float | None = None  # percent by which right answers stand nearer to the top
    need: int | None = None  # about so many more held-out items would tell
    visible: dict[str, Any] | None = None  # the smallest gain that was to be seen

    def as_json(self) -> dict[str, Any]:
        """For results, cards and pages."""
        return asdict(self)


UNMEASURED = Verdict(
    False, "unmeasured", "Nothing was measured: there are no held-out matches. Label some pairs of that side."
)


def ask(attempts: AttemptLog, question: Question, promotion: bool = True) -> Verdict:
    """Whether a version may answer from here on; spends an attempt only where one can succeed.

    Args:
        attempts: the workspace's.
        question: which version, and what was measured of it.
        promotion: whether one is wanted at all.

    Raises:
        DataError: something that was measured is not a finite number.
    """
    votes, unit = question.evidence.votes(), question.evidence.unit
    items, mean = len(votes), float(votes.mean()) if len(votes) else 0.0
    at = attempts.upcoming(question.task, items, unit.name, chosen=question.validation is None)

    def verdict(why: str, sentence: str, **more: Any) -> Verdict:
        visible = smallest_visible(items, more.get("attempt") or at.number, at.spread, unit)
        near = round(nearer(mean), 1) if unit is LOG_RANKS else None
        facts: dict[str, Any] = {"mean": mean, "unit": unit.name, "nearer": near, "items": items}
        if visible is not None:
            facts["visible"] = visible.as_json(unit)
        return Verdict(why == "better", why, sentence, **facts | more)

    def free(why: str, sentence: str, **more: Any) -> Verdict:
        attempts.shown(question.task, items, question.version, question.against)
        return verdict(why, sentence, **more)

    if not promotion:
        return free("no-promotion", "No promotion was asked for, so no attempt was spent.")
    if items < LEAST_ITEMS:
        lacking = LEAST_ITEMS - items
        sentence = f"{items} held-out items are too few to decide by: {lacking} more are needed."
        return free("few", sentence, need=lacking)
    above = question.evidence.above_chance()
    if above is not None and above < CHANCE_Z:
        return free("chance", "These held-out labels fit neither version. Look at them in the Data tab.")
    if question.validation is not None:
        said = _foretold(question.validation(), items, at.number)
        if said is not None:
            return free("not-asked", said.sentence, need=said.need)
    return verdict(**_asked(attempts, question, votes))


@dataclass(frozen=True)
class _Foretold:
    """Why an attempt would be wasted."""

    sentence: str
    need: int | None = None


def _foretold(found: Evidence | None, items: int, attempt: int) -> _Foretold | None:
    """None: what validation pairs say is reason enough for an attempt."""
    votes = found.votes() if found is not None else np.zeros(0)
    on = f"{len(votes)} {found.of if found is not None else Evidence.of}"
    enough = can_succeed(votes, items, level(attempt))
    if enough:
        return None
    if enough is None:
        return _Foretold(
            f"Not tested: {on} do not say whether it is better, so no attempt was spent. "
            f"{LEAST_ASKED} are needed. Label more, or test it now."
        )
    need = more_needed(votes, attempt, items)
    if need is None:
        gain = "no gain" if votes.mean() <= 0 else "hardly any gain"
        return _Foretold(f"Not tested: {on} show {gain}, so no attempt was spent. Label more to train on.")
    return _Foretold(
        f"Not tested: the gain on {on} is too small for {items} held-out ones to show, so no attempt was "
        f"spent. About {need} more held-out items, or more labels to train on, would help.",
        need,
    )


def _asked(attempts: AttemptLog, question: Question, votes: np.ndarray) -> dict[str, Any]:
    """Spend an attempt; what came of it."""
    evidence, items = question.evidence, len(votes)
    row = attempts.spend(
        question.task,
        items,
        question.version,
        question.against,
        evidence.unit.name,
        chosen=question.validation is None,
        annotator=question.annotator,
    )
    number = row.number or 1
    alpha, mean, spread = level(number), float(votes.mean()), float(votes.std(ddof=1))
    p, (before, after) = sign_flip(votes, alpha, label_seed(question.labels)), evidence.scores()
    passed = p <= alpha and after >= before
    attempts.conclude(row.id, p, mean, spread, passed)
    need = more_needed(votes, number + 1, items) if not passed and p > alpha else None
    said = f"{evidence.unit.said(mean)} on {items} held-out items (attempt {number})"
    why, sentence = _worded(passed, p <= alpha, mean, said, need)
    return {
        "why": why,
        "sentence": sentence,
        "attempt": number,
        "alpha": alpha,
        "p": p,
        "spread": spread,
        "need": need,
    }


def _worded(passed: bool, gained: bool, mean: float, said: str, need: int | None) -> tuple[str, str]:
    if passed:
        return "better", f"Certain enough: {said}."
    if gained:
        return "recall-fell", f"Not better: {said}, but the mean score fell."
    if mean <= 0:
        return "worse", f"Not better: {said}."
    return (
        "not-certain",
        f"Not certain: {said}, which could be luck."
        + (f" About {need} more held-out items would tell." if need else " It is too small to be told."),
    )


def more_needed(votes: np.ndarray, attempt: int, items: int) -> int | None:
    """`items_needed` beyond those there are, to two digits; None: no gain, or more than anybody labels."""
    wanted = items_needed(votes, attempt)
    more = None if wanted is None else rounded_up(max(1, wanted - items))
    return None if more is None or more > MOST_WANTED else more


def rounded_up(count: int) -> int:
    """To two digits: nobody knows it better."""
    step = 10 ** max(0, len(str(count)) - 2)
    return math.ceil(count / step) * step
