"""A version's own fit of its probabilities, on the workspace's validation pairs, and what it is worth.

Held-out pairs decide on versions and calibrate nothing. What ships for versions of the base is the prior, so
few pairs move it a little. What the card says of the fit is cross-fitted: each fifth of the media is judged
by a fit that has not seen it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from mmdemo.evaluation.pair_arrays import PairArrays
from mmdemo.models.aligner import HeadAligner
from mmdemo.models.calibration import Evidence, PairFit, at_base_rate, fit_pairs
from mmdemo.models.reliability import find_zones, reliability

LEAST_MATCHES = 10  # validation ones, below which the prior stands
STRENGTH = 30.0  # matches that the prior weighs: it was fitted on hundreds
FOLDS = 5


def fit_version(aligner: HeadAligner, pairs: PairArrays) -> PairFit | None:
    """The fit of a version on validation pairs; None: there are too few.

    Each medium is asked all texts of the pairs: its own are right, those that are marked as wrong and all
    others are not.

    Args:
        aligner: the version, with the prior as its fit.
        pairs: of the validation side.
    """
    if int(pairs.match.sum()) < LEAST_MATCHES:
        return None
    media = np.unique(pairs.item_code, return_index=True)[1]
    texts = np.unique(pairs.text_code, return_index=True)[1]
    if len(media) < FOLDS or len(texts) < 2:
        return None
    right = {
        (int(m), int(t)) for m, t, ok in zip(pairs.item_code, pairs.text_code, pairs.match, strict=True) if ok
    }
    match = np.array(
        [[(int(m), int(t)) in right for t in pairs.text_code[texts]] for m in pairs.item_code[media]]
    )
    table = aligner.judge.evidence(pairs.features[media], pairs.texts[texts])
    evidence = {
        name: np.array(np.broadcast_to(values, match.shape)).ravel() for name, values in table.items()
    }
    fold = np.repeat(np.random.default_rng(0).permutation(len(media)) % FOLDS, len(texts))
    return _cross_fitted(evidence, match.ravel(), fold, aligner.judge.fit)


def _cross_fitted(evidence: Evidence, match: np.ndarray, fold: np.ndarray, prior: PairFit) -> PairFit:
    asked = {name: values for name, values in evidence.items() if name in prior.weights}

    def fitted(rows: np.ndarray) -> PairFit:
        part = {name: values[rows] for name, values in asked.items()}
        return fit_pairs(part, match[rows], at_base_rate(match[rows]), prior, STRENGTH)

    on = f"{int(match.sum())} validation pairs of this workspace, each beside the other texts"
    whole = fitted(np.ones(len(match), bool))
    return measured(whole, unseen(fitted, asked, fold), match, at_base_rate(match), on)


def unseen(fitted: Callable[[np.ndarray], PairFit], evidence: Evidence, fold: np.ndarray) -> np.ndarray:
    """(N,) probabilities of N pairs, each by a fit that has not seen its fold.

    Args:
        fitted: the fit on some pairs, (N,) bool.
        evidence: of the pairs.
        fold: (N,) to which each belongs.
    """
    said = np.zeros(len(fold))
    for one in np.unique(fold):
        test = fold == one
        said[test] = fitted(~test).probability({name: values[test] for name, values in evidence.items()})
    return said


def measured(fit: PairFit, said: np.ndarray, match: np.ndarray, weight: np.ndarray, on: str) -> PairFit:
    """A fit with the zones and the reliability of what fits like it said of pairs that they had not seen.

    Args:
        fit: on all pairs.
        said: (N,) of `unseen`.
        match: (N,) whether each pair matches.
        weight: (N,) how much each counts.
        on: what the pairs are, in words.
    """
    return replace(
        fit, zones=find_zones(said, match, weight), reliability=reliability(said, match, weight, on)
    )
