"""Whether a head keeps its last epoch or the best one on validation pairs: both from the same training.

For growing numbers of drawings a share is for validation, the head learns from the others, and the 280
validation drawings of the collection, which nothing else looks at here, say what it reached: mean recall, in
percent.

python benchmarks/choose_epoch.py [--draws 8]
"""

from __future__ import annotations

import argparse
import copy

import numpy as np
from common import load_clipart

from mmdemo.evaluation.measure import measure
from mmdemo.evaluation.pair_arrays import PairArrays
from mmdemo.models.device import decide_compute
from mmdemo.training.config import TrainSettings
from mmdemo.training.trainables.head import train_head

LABELS = (50, 100, 200, 400)
SHARES = (0.1, 0.2)  # of the labels, for validation


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=8)
    draws = parser.parse_args().draws
    art, compute = load_clipart(), decide_compute("cpu")
    measured = art.measured

    def both(train: PairArrays, validation: PairArrays, seed: int) -> tuple[float, float]:
        best, kept = -1.0, None
        for record, head in train_head(
            train, validation, art.pairs.features, 384, TrainSettings(seed=seed), compute
        ):
            if (record.validation_recall or 0.0) > best:
                best, kept = record.validation_recall or 0.0, copy.deepcopy(head.state_dict())
        last = measure(head, measured, 384).mean_recall
        head.load_state_dict(kept)
        return last, measure(head, measured, 384).mean_recall

    print("| labels | for validation | last epoch | best on validation | difference |")
    print("|---|---|---|---|---|")
    for count in LABELS:
        for share in SHARES:
            found = []
            for draw in range(draws):
                rows = np.random.default_rng(draw).permutation(art.train)[:count]
                aside = max(5, round(share * count))
                found.append(both(art.pairs.take(rows[aside:]), art.pairs.take(rows[:aside]), draw))
            last, best = np.array(found).T
            gain = best - last
            error = gain.std(ddof=1) / np.sqrt(draws)
            print(
                f"| {count} | {aside} | {last.mean():.1f} | {best.mean():.1f} | "
                f"{gain.mean():+.2f} ± {error:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
