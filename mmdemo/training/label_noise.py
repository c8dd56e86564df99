"""How likely each labelled match is right, told from the labels themselves.

A right text is found among all labelled texts by what the base model says of it and by what the other labels
say; a wrong one stands anywhere. So each pair's own text is drawn from a mixture: with 1 - e by a softmax of
both tables, with e from all texts alike (as Arazo et al. 2019, arXiv:1904.11238, tell clean examples from
noisy ones; for pairs Huang et al. 2021, "Learning with Noisy Correspondence for Cross-modal Matching"). The
slopes of the tables and e are what makes the labels likeliest. Labels without an error give e = 0, and then
each counts in full.

What the other labels say is kernel ridge regression from features to texts, each pair left out by the closed
form (Rasmussen & Williams 2006, "Gaussian Processes for Machine Learning", section 5.4.2): a head would have
learned the wrong pair by heart.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from mmdemo.evaluation.pair_arrays import PairArrays
from mmdemo.models.aligner import judge_of
from mmdemo.models.heads.residual import Projection

# Distinct items and texts, with fewer of which nobody is doubted: of 24 draws of right labels e was 0.035 of
# 100 pairs, 0.011 of 200 and 0.000 of 300 (docs/experiments.md).
FEWEST = 200
TOGETHER = 1000  # pairs judged among themselves; more are judged in parts, for time grows with their cube
SHARPNESS = 4.0  # of the kernel, by the cosine of standardised features; 2 and 8 tell as much
RIDGE = 1.0  # as much as 0.5 and 2
SHRINKAGE = 0.01  # of the slopes
MOST_WRONG = 0.5
LEAST_WRONG = 0.02  # a smaller e is nought: so few wrong ones are not told from right ones that are odd
HARDNESS = 2.0  # a weight is the probability to this power: 1, 3 and 4 lose more


def doubted(train: PairArrays, mean: np.ndarray, std: np.ndarray, dim: int) -> PairArrays:
    """The examples, whose matches weigh less the likelier they are wrong; marked mismatches stay as they are.

    Args:
        train: N examples; with `grounds` the base model's word is its log-odds, else its cosine.
        mean: (F,) of features, that standardises them.
        std: (F,) their spread.
        dim: D, the shared space.
    """
    matches = np.flatnonzero(train.match)
    weight = np.ones(len(train), np.float32) if train.weight is None else train.weight.copy()
    for part in np.array_split(matches, max(1, -(-len(matches) // TOGETHER))):
        codes = train.item_code[part], train.text_code[part]
        if min(len(np.unique(code)) for code in codes) < FEWEST:
            continue
        features, texts = train.features[part], train.texts[part]
        base = Projection(dim, None)
        judge = judge_of(train.grounds, base) if train.grounds is not None else None
        said = base.media(features) @ texts.T if judge is None else judge.log_odds(features, texts)
        tables = np.stack([_standard(said), _standard(_by_others((features - mean) / std, texts))])
        weight[part] *= right_shares(tables, *codes) ** HARDNESS
    return replace(train, weight=weight)


def _by_others(features: np.ndarray, texts: np.ndarray) -> np.ndarray:
    """(N, N) how near text j is to what the labels other than i foretell of item i."""
    near, centred = _unit(features), _unit(texts - texts.mean(0))
    kernel = np.exp(SHARPNESS * (near @ near.T - 1)).astype(np.float64)
    inverse = np.linalg.inv(kernel + RIDGE * np.eye(len(kernel)))
    foretold = centred - inverse @ centred / np.diag(inverse)[:, None]  # (N, D), each without its own text
    return np.asarray(_unit(foretold - foretold.mean(0)) @ centred.T)


def right_shares(tables: np.ndarray, item_code: np.ndarray, text_code: np.ndarray) -> np.ndarray:
    """(N,) probabilities that each of N pairs is right, by the likeliest mixture.

    Args:
        tables: (K, N, N) how the item of pair i fits the text of pair j, by K judgements.
        item_code: (N,) equal for one item.
        text_code: (N,) equal for one text.
    """
    sides = [_Side(tables, text_code), _Side(tables.transpose(0, 2, 1), item_code)]

    def unlikely(known: np.ndarray) -> tuple[float, np.ndarray]:
        slopes, wrong = known[:-1], known[-1]
        found = [side.unlikely(slopes, wrong) for side in sides]
        loss = sum(one for one, _ in found) + SHRINKAGE * float(slopes @ slopes)
        return loss, sum(slope for _, slope in found) + np.r_[2 * SHRINKAGE * slopes, 0.0]

    begin = np.r_[np.ones(len(tables)), 0.1]
    bounds = [(0.0, None)] * len(tables) + [(0.0, MOST_WRONG)]
    best = minimize(unlikely, begin, jac=True, bounds=bounds, method="L-BFGS-B").x
    slopes, wrong = best[:-1], best[-1]
    if wrong < LEAST_WRONG:
        return np.ones(tables.shape[1])
    ratio = sum(side.log_ratio(slopes)[0] for side in sides)  # (N,) of right to wrong
    return np.asarray(expit(np.log((1 - wrong) / wrong) + ratio))


class _Side:
    """One direction: which of the distinct answers the question of each pair has.

    Args:
        tables: (K, N, N) of question i with answer j.
        code: (N,) equal for one answer.
    """

    def __init__(self, tables: np.ndarray, code: np.ndarray) -> None:
        self._tables = tables
        self._own = np.stack([np.diag(table) for table in tables])  # (K, N)
        _, place, count = np.unique(code, return_inverse=True, return_counts=True)
        self._share = 1.0 / count[place]  # (N,) an answer that stands there twice is one
        self._answers = len(count)

    def log_ratio(self, slopes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N,) log of how much likelier than by chance each own answer is, and (N, N) the softmax."""
        logits = np.tensordot(slopes, self._tables, 1)
        level = logits.max(1, keepdims=True)
        odds = np.exp(logits - level) * self._share
        total = odds.sum(1)
        own = slopes @ self._own - level[:, 0] - np.log(total)
        return own + np.log(self._answers), odds / total[:, None]

    def unlikely(self, slopes: np.ndarray, wrong: float) -> tuple[float, np.ndarray]:
        """Minus the mean log-likelihood over that by chance; (K + 1,) its slope by `slopes` and `wrong`."""
        log_ratio, chances = self.log_ratio(slopes)
        ratio = np.exp(log_ratio)
        likely = (1 - wrong) * ratio + wrong  # (N,)
        right = (1 - wrong) * ratio / likely
        expected = np.stack([(chances * table).sum(1) for table in self._tables])  # (K, N)
        by_slopes = ((self._own - expected) * right).mean(1)
        by_wrong = ((1 - ratio) / likely).mean()
        return -float(np.log(likely).mean()), -np.r_[by_slopes, by_wrong]


def _unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-9))


def _standard(table: np.ndarray) -> np.ndarray:
    return np.asarray((table - table.mean()) / max(float(table.std()), 1e-9), dtype=np.float64)
