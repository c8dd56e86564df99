"""Retrieval on the validation drawings: the base version, and heads tuned on the train drawings (3 seeds).

python benchmarks/quality.py [--preset efficientnet-lite2-devise]
"""

from __future__ import annotations

import argparse

import numpy as np
from common import load_clipart

from mmdemo.evaluation.measure import measure
from mmdemo.models.device import decide_compute
from mmdemo.training.config import TrainSettings
from mmdemo.training.trainables.head import train_head


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="efficientnet-lite0-devise")
    art = load_clipart(parser.parse_args().preset)
    held_out = art.measured
    compute = decide_compute("cpu")
    rows = [("base", measure(None, held_out, 384))]
    for seed in range(3):
        *_, (_, head) = train_head(
            art.pairs.take(art.train), None, art.pairs.features, 384, TrainSettings(seed=seed), compute
        )
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
