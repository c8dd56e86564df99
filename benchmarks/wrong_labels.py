"""What a fifth of wrong labels costs, and what doubting, and knowing, the wrong ones saves.

    python benchmarks/wrong_labels.py [--draws 12] [--wrong 0.2] [--labels 420] [--arms "right" "doubted"]

The first draw has the sides of assets/clipart; each other one draws 280 of the 700 drawings to measure on. A
share of the labels is given each another one's text. Told are R@10 both ways and the points lost against the
first arm, with the standard error over the draws.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from common import Clipart, load_clipart
from quality import mistaken

from mmdemo.evaluation.measure import known_of, measure
from mmdemo.evaluation.pair_arrays import PairArrays
from mmdemo.models.device import decide_compute
from mmdemo.training.config import TrainSettings
from mmdemo.training.trainables.head import trained_head

HELD_OUT = 280
Given = Callable[[PairArrays, PairArrays, np.ndarray], PairArrays]  # right labels, mistaken ones, which are

# By name: what is learned from, and whether it is trusted.
ARMS: dict[str, tuple[Given, bool]] = {
    "right, trusted": (lambda right, mixed, wrong: right, True),
    "right, doubted": (lambda right, mixed, wrong: right, False),
    "trusted": (lambda right, mixed, wrong: mixed, True),
    "doubted": (lambda right, mixed, wrong: mixed, False),
    "wrong ones left out": (lambda right, mixed, wrong: mixed.take(np.flatnonzero(~wrong)), True),
    "wrong ones as others' negatives": (
        lambda right, mixed, wrong: replace(mixed, weight=(~wrong).astype(np.float32)),
        True,
    ),
}


def sides(art: Clipart, draw: int) -> Clipart:
    """The drawings with other sides, but for the first draw."""
    if draw == 0:
        return art
    order = np.random.default_rng(1000 + draw).permutation(len(art.pairs))
    return replace(art, train=order[HELD_OUT:], validation=order[:HELD_OUT])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=12)
    parser.add_argument("--wrong", type=float, default=0.2)
    parser.add_argument("--labels", type=int, default=420)
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=list(ARMS))
    wanted = parser.parse_args()
    whole, compute = load_clipart(), decide_compute("cpu")
    whole = replace(whole, pairs=replace(whole.pairs, grounds=whole.towers.grounds))
    found: dict[str, list[list[float]]] = {name: [] for name in wanted.arms}
    for draw in range(wanted.draws):
        art = sides(whole, draw)
        right = art.pairs.take(art.train[: wanted.labels])
        mixed = mistaken(right, wanted.wrong, draw)
        wrong = mixed.text_code != right.text_code
        held_out = art.measured
        known = known_of(held_out, 384)
        for name in wanted.arms:
            given, trusted = ARMS[name]
            settings = TrainSettings(seed=draw, trust_labels=trusted)
            head = trained_head(given(right, mixed, wrong), whole.pairs.features, 384, settings, compute)
            ranks = measure(head, held_out, 384, known=known)
            found[name].append(
                [ranks.text_to_media.recall(10), ranks.media_to_text.recall(10), ranks.mean_recall]
            )
    first = np.array(found[wanted.arms[0]])
    print(f"{wanted.labels} labels, {wanted.wrong:.0%} wrong, {wanted.draws} draws")
    print("| labels | R@10 text->image / image->text | mean recall | R@10 lost, both ways |")
    print("|---|---|---|---|")
    for name, rows in found.items():
        means, lost = np.mean(rows, axis=0), (first - rows)[:, :2]
        error = lost.mean(1).std(ddof=1) / np.sqrt(len(lost)) if len(lost) > 1 else float("nan")
        there, back = lost.mean(0)
        told = f"{lost.mean():.1f} ± {error:.1f} ({there:.1f} / {back:.1f})"
        print(f"| {name} | {means[0]:.1f} / {means[1]:.1f} | {means[2]:.1f} | {told} |")


if __name__ == "__main__":
    main()
