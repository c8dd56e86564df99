"""Before and after on pairs that were never trained on, with an interval that says whether to believe it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmdemo.evaluation.localisation import Localisation
from mmdemo.evaluation.measure import cells_in, media_vectors
from mmdemo.evaluation.metrics import CURE, FIGURES, RECALL_AT, Ranks, Retrieval
from mmdemo.evaluation.pair_arrays import PairArrays
from mmdemo.finite import require_finite
from mmdemo.labeling.snapshot import Example
from mmdemo.models.calibration import BASE_RATE, Calibration, fit_calibration
from mmdemo.models.heads.fusion import CALIBRATION as PAIR_PRIOR
from mmdemo.models.heads.fusion import FusedHead, pair_logits
from mmdemo.models.heads.residual import Projection, ResidualHead

RESAMPLES = 2000
EXAMPLES_SHOWN = 6
NO_GAIN = {"gain": None, "low": None, "high": None}


@dataclass(frozen=True)
class Interval:
    """A difference in percentage points and where it lies with 95 % confidence."""

    gain: float
    low: float
    high: float

    def as_json(self) -> dict[str, float]:
        """Rounded to a tenth of a point."""
        return {"gain": round(self.gain, 1), "low": round(self.low, 1), "high": round(self.high, 1)}


def paired_bootstrap(before: np.ndarray, after: np.ndarray, seed: int = 0) -> Interval:
    """The mean difference of two (Q,) scores of the same queries, 0..1, and its 95 % percentile interval.

    Queries are drawn with replacement, each with both its scores (Efron 1979; Koehn 2004 for paired systems).
    """
    for scores, when in ((before, "before"), (after, "after")):
        require_finite(scores, lambda i, when=when: f"The score of query {i + 1} {when}", CURE)  # type: ignore
    difference = 100.0 * (np.asarray(after, np.float64) - np.asarray(before, np.float64))
    if len(difference) == 0:
        return Interval(0.0, 0.0, 0.0)
    drawn = np.random.default_rng(seed).integers(0, len(difference), (RESAMPLES, len(difference)))
    means = difference[drawn].mean(1)
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(float(difference.mean()), float(low), float(high))


def gains(before: Retrieval, after: Retrieval) -> dict[str, Any]:
    """The gain and interval of each figure of the table, and of the mean recall; null where there is none."""
    table: dict[str, Any] = {}
    if not before.pairs or before.note:  # nothing was measured, or nothing that says anything
        ways = dict.fromkeys(FIGURES, NO_GAIN)
        ways.pop("MedR")
        return {"text_to_media": ways, "media_to_text": ways, "mean_recall": NO_GAIN}
    sides = {
        "text_to_media": (before.text_to_media, after.text_to_media),
        "media_to_text": (before.media_to_text, after.media_to_text),
    }
    for name, (old, new) in sides.items():
        table[name] = {
            f"R@{k}": paired_bootstrap(old.first <= k, new.first <= k).as_json() for k in RECALL_AT
        } | {"mAP": paired_bootstrap(old.precision, new.precision).as_json()}
    table["mean_recall"] = paired_bootstrap(before.recall_by_query(), after.recall_by_query()).as_json()
    return table


def comparison(before: Retrieval, after: Retrieval, measured: Sequence[Example]) -> dict[str, Any]:
    """What a run says of two versions on the same examples: both, the gains, and who moved."""
    return {
        "before": _side(before),
        "after": _side(after),
        "gains": gains(before, after),
        "changes": rank_changes(measured, before.text_to_media, after.text_to_media),
    } | _accuracy(before, after, measured)


def _side(found: Retrieval) -> dict[str, Any]:
    note = {"note": found.note} if found.note else {}
    return found.as_json() | {"mean_recall": found.told_recall} | note


def _accuracy(before: Retrieval, after: Retrieval, measured: Sequence[Example]) -> dict[str, Any]:
    """Of items whose text is a class: how many get the right class first, with the gain's interval."""
    closed = np.array([e.closed for e in measured], bool)
    if not closed.any() or before.note:
        return {}
    old, new = (found.media_to_text.first[closed] <= 1 for found in (before, after))
    sides = {name: round(100.0 * float(side.mean()), 2) for name, side in (("before", old), ("after", new))}
    return {"accuracy": {"items": int(closed.sum())} | sides | {"gain": paired_bootstrap(old, new).as_json()}}


def moment_comparison(before: Localisation, after: Localisation) -> dict[str, Any]:
    """What a run says of two versions that look for the same texts in the same videos."""
    old, new = before.scores(), after.scores()
    gain = {name: paired_bootstrap(old[name], new[name]).as_json() for name in old}
    return {"before": before.as_json(), "after": after.as_json(), "gains": gain}


def rank_changes(examples: Sequence[Example], before: Ranks, after: Ranks) -> dict[str, list[dict[str, Any]]]:
    """The queries whose right answer moved most: now nearer the top, now further down; each with what came
    first before and after.
    """
    moved = np.log(before.first) - np.log(after.first)  # from 8 to 1 matters more than from 108 to 101
    order = np.argsort(-moved, kind="stable")

    def row(i: int) -> dict[str, Any]:
        ranks = {"before": int(before.first[i]), "after": int(after.first[i])}
        first = {"first_before": _first(examples, before, i), "first_after": _first(examples, after, i)}
        return _medium(examples[i]) | ranks | first

    better = [row(i) for i in order[:EXAMPLES_SHOWN] if moved[i] > 0]
    worse = [row(i) for i in order[::-1][:EXAMPLES_SHOWN] if moved[i] < 0]
    return {"better": better, "worse": worse}


def _medium(example: Example) -> dict[str, Any]:
    return {"item": example.item, "text": example.text, "start": example.start, "end": example.end}


def _first(examples: Sequence[Example], found: Ranks, query: int) -> list[dict[str, Any]]:
    """The media that came first, each with a text that it has; empty where they were not kept."""
    rows = [] if found.shown is None else found.shown[query].tolist()
    return [_medium(examples[row]) for row in rows]


def calibrate(head: ResidualHead | None, pairs: PairArrays, dim: int, prior: Calibration) -> Calibration:
    """Scale and bias from labels: matches against marked mismatches and random ones, four for each match.

    Only pairs that were not trained on are asked: of those that were, the model is too sure.
    """
    if len(pairs) < 2 or not pairs.match.any():
        return prior
    projection = Projection(dim, head)
    media, text = media_vectors(projection, pairs), projection.text(pairs.texts)
    left, right, matches = _judged(pairs)
    return fit_calibration(np.einsum("nd,nd->n", media[left], text[right]), matches, prior)


def calibrate_pairs(head: FusedHead, pairs: PairArrays) -> Calibration:
    """The same for the logits of a fused head, in tenths."""
    if len(pairs) < 2 or not pairs.match.any():
        return PAIR_PRIOR
    left, right, matches = _judged(pairs)
    table = pair_logits(head, cells_in(pairs), pairs.features, pairs.texts)
    return fit_calibration(table[left, right] / 10, matches, PAIR_PRIOR)


def _judged(pairs: PairArrays) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(K,) rows of media, (K,) rows of texts, (K,) whether they match: the pairs, and random ones beside."""
    lacking = int(max(0, (1 - BASE_RATE) / BASE_RATE * pairs.match.sum() - (~pairs.match).sum()))
    left, right = np.random.default_rng(0).integers(0, len(pairs), (2, 4 * lacking))
    apart = (pairs.item_code[left] != pairs.item_code[right]) & (
        pairs.text_code[left] != pairs.text_code[right]
    )
    left, right = left[apart][:lacking], right[apart][:lacking]
    own = np.arange(len(pairs))
    matches = np.concatenate([pairs.match, np.zeros(len(left), bool)])
    return np.concatenate([own, left]), np.concatenate([own, right]), matches
