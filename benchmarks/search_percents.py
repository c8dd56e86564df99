"""Whether the percent of a search is what it says: validation drawings, each asked every title of theirs.

python benchmarks/search_percents.py [--preset efficientnet-lite2-devise] [--wrong]

Shown are the log-odds of a pair as `align` knows them, moved to one right answer in a hundred; beside them a
fit at that rate on the train drawings, of the log-odds alone and with the similarity without hubs. Each title
of the train drawings is asked beside those of its fold, with the hubs of the rest. `--wrong` lists what was
shown with one half or more though it has another title: some of it is right all the same.
"""

from __future__ import annotations

import argparse

import numpy as np
from common import Clipart, load_clipart
from scipy.special import expit

from mmdemo.models.calibration import PairFit, fit_pairs
from mmdemo.models.heads.residual import Projection
from mmdemo.models.judge import Judge
from mmdemo.retrieval.hubness import above_mean, reached
from mmdemo.retrieval.odds import DECIDED, SEARCH_RATE, of_search

FOLDS, BACKGROUND = 5, 6  # every sixth row of the train side is background of what ships
JUDGED, FREE = "judged", "without hubs"
SHOWN = "log-odds, moved: what is shown"


def known(art: Clipart, judge: Judge, asked: np.ndarray, rest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, N) log-odds of drawings with titles, and their similarities without hubs, by the rest's titles."""
    features, texts = art.pairs.features, art.pairs.texts
    media, heads = judge.space.media(features[asked]), judge.space.text(texts[asked])
    less = above_mean(reached(media, judge.space.text(texts[rest])))
    return judge.log_odds(features[asked], texts[asked]), media @ heads.T - less[:, None]


def fits_at_search_rate(art: Clipart, judge: Judge) -> dict[str, PairFit]:
    """Fits on the train drawings that are no background."""
    rows = art.train[np.arange(len(art.train)) % BACKGROUND != 0]
    fold = np.random.default_rng(0).permutation(len(rows)) % FOLDS
    parts = [known(art, judge, rows[fold == i], rows[fold != i]) for i in range(FOLDS)]
    match = np.concatenate([np.eye(len(odds), dtype=bool).ravel() for odds, _ in parts])
    found = {
        JUDGED: np.concatenate([odds.ravel() for odds, _ in parts]),
        FREE: np.concatenate([near.ravel() for _, near in parts]),
    }
    weight = np.where(match, 1.0, match.sum() * (1 - SEARCH_RATE) / SEARCH_RATE / (~match).sum())
    return {
        "fitted": fit_pairs({JUDGED: found[JUDGED]}, match, weight, strength=1.0),
        "fitted with similarity": fit_pairs(found, match, weight, strength=1.0),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="efficientnet-lite0-devise")
    parser.add_argument("--wrong", action="store_true")
    wanted = parser.parse_args()
    art = load_clipart(wanted.preset)
    grounds = art.towers.grounds
    assert grounds.fit is not None
    judge = Judge(grounds, Projection(art.pairs.texts.shape[1], None), grounds.fit)
    odds, near = known(art, judge, art.validation, art.train)
    far = np.argsort(np.argsort(-near, axis=0), axis=0) >= DECIDED  # of each title
    ways = {
        "similarity, at one in five": art.towers.calibration.probability(near),
        SHOWN: of_search(odds),
    }
    for name, fit in fits_at_search_rate(art, judge).items():
        print(f"{name}: {fit.weights}, bias {fit.bias:.2f}")
        ways[name] = expit(fit.log_odds({JUDGED: odds, FREE: near}))
    print("\n| | R@10 | at 50 % and more: with their own title | at 80 % and more | titles with none |")
    print("|---|---|---|---|---|")
    for name, found in ways.items():
        shown = np.where(far, 0.0, found)
        first = (shown > np.diag(shown)[None]).sum(0) < 10
        cells = [f"{100 * (first & ~np.diag(far)).mean():.1f}"]
        for least in (0.5, 0.8):
            said = shown >= least
            cells.append(f"{np.diag(said).sum()} of {said.sum()}")
        cells.append(f"{100 * (shown < 0.5).all(0).mean():.0f} %")
        print(f"| {name} | {' | '.join(cells)} |")
    if wanted.wrong:
        titles = [art.titles[i] for i in art.validation]
        shown = np.where(far, 0.0, ways[SHOWN])
        for row, column in np.argwhere((shown >= 0.5) & ~np.eye(len(shown), dtype=bool)):
            print(f"{titles[column]!r} finds {titles[row]!r} with {100 * shown[row, column]:.0f} %")


if __name__ == "__main__":
    main()
