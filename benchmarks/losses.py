"""Which loss learns more from matches and marked mismatches: InfoNCE or the pairwise sigmoid loss.

    python benchmarks/losses.py

Matches are the train drawings with their titles; for half as many drawings the base version's nearest wrong
title is marked as a mismatch, which is what the Label tab proposes. Mean recall of one
head on validation, 3 seeds.
"""

from __future__ import annotations

import numpy as np
from common import load_clipart

from mmdemo.evaluation.measure import measure
from mmdemo.evaluation.pair_arrays import PairArrays
from mmdemo.models.device import decide_compute
from mmdemo.models.heads.residual import Projection
from mmdemo.training.config import TrainSettings
from mmdemo.training.trainables.head import train_head


def main() -> None:
    """Print the table."""
    art = load_clipart()
    held_out = art.measured
    compute = decide_compute("cpu")
    base = Projection(384, None)
    print(f"base: {measure(None, held_out, 384).mean_recall:.1f}")
    print("| matches | marked mismatches | loss | weight of a mark | mean recall, 3 seeds |")
    print("|---|---|---|---|---|")
    for count in (60, 420):
        rows = np.random.default_rng(0).permutation(art.train)[:count]
        matches = art.pairs.take(rows)
        near = base.media(matches.features) @ base.text(matches.texts).T
        np.fill_diagonal(near, -1)
        marked = np.arange(0, count, 2)
        wrong = near[marked].argmax(1)
        both = PairArrays(
            np.concatenate([matches.features, matches.features[marked]]),
            np.concatenate([matches.texts, matches.texts[wrong]]),
            np.concatenate([matches.match, np.zeros(len(marked), bool)]),
            np.concatenate([matches.item_code, matches.item_code[marked]]),
            np.concatenate([matches.text_code, matches.text_code[wrong]]),
        )
        for train, marks in ((matches, 0), (both, len(marked))):
            for loss, rate in (("infonce", 0.0), ("sigmoid", 0.0), ("sigmoid", 1e-3)):
                for weight in (1.0, 4.0) if marks else (1.0,):
                    found = []
                    for seed in range(3):
                        settings = TrainSettings(
                            20, rate, loss=loss, mark_weight=weight, seed=seed, members=1
                        )
                        *_, (_, head) = train_head(train, None, art.pairs.features, 384, settings, compute)
                        found.append(measure(head, held_out, 384).mean_recall)
                    name = f"{loss} (lr {rate:g})" if rate else loss
                    print(
                        f"| {count} | {marks} | {name} | {weight:g} | "
                        f"{np.mean(found):.1f} ± {np.std(found):.1f} |"
                    )


if __name__ == "__main__":
    main()
