"""Retrieval on the validation drawings: the base version, and heads tuned on the train drawings (3 seeds).

python benchmarks/quality.py [--preset efficientnet-lite2-devise] [--wrong 0.2]

`--wrong` gives that share of the train drawings each another one's title, drawn anew for each seed.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
from common import load_clipart

from mmdemo.evaluation.measure import measure
from mmdemo.evaluation.pair_arrays import PairArrays
from mmdemo.models.device import decide_compute
from mmdemo.training.config import TrainSettings
from mmdemo.training.trainables.head import train_head


def mistaken(pairs: PairArrays, share: float, seed: int) -> PairArrays:
    """The pairs with a share of their texts passed around among them."""
    rng = np.random.default_rng(seed)
    wrong = rng.choice(len(pairs.texts), round(share * len(pairs.texts)), replace=False)
    order = np.arange(len(pairs.texts))
    order[wrong] = np.roll(wrong, 1)
    return replace(pairs, texts=pairs.texts[order], text_code=pairs.text_code[order])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="efficientnet-lite0-devise")
    parser.add_argument("--wrong", type=float, default=0.0)
    wanted = parser.parse_args()
    art = load_clipart(wanted.preset)
    held_out = art.measured
    compute = decide_compute("cpu")
    rows = [("base", measure(None, held_out, 384))]
    for seed in range(3):
        learned = mistaken(replace(art.pairs.take(art.train), grounds=art.towers.grounds), wanted.wrong, seed)
        *_, (_, head) = train_head(learned, None, art.pairs.features, 384, TrainSettings(seed=seed), compute)
        rows.append((f"tuned, seed {seed}", measure(head, held_out, 384)))
    print("| | text->image R@1 / R@5 / R@10 | image->text R@1 / R@5 / R@10 | mean |")
    print("|---|---|---|---|")
    for name, found in rows:
        sides = (found.text_to_media, found.media_to_text)
        cells = [" / ".join(f"{side.recall(k):.1f}" for k in (1, 5, 10)) for side in sides]
        print(f"| {name} | {cells[0]} | {cells[1]} | {found.mean_recall:.1f} |")
    tuned = np.mean([[f.text_to_media.recall(10), f.media_to_text.recall(10)] for _, f in rows[1:]], axis=0)
    print(f"tuned R@10, mean of 3 seeds: {tuned[0]:.1f} and {tuned[1]:.1f}")


if __name__ == "__main__":
    main()
