"""How long a head takes to tune from cached features, as a run does it: check-points and the measuring of
each epoch included; and how that grows with labels.

python benchmarks/training_time.py
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
from common import load_clipart

from mmdemo.evaluation.pair_arrays import PairArrays
from mmdemo.models.device import decide_compute
from mmdemo.training.config import TrainSettings
from mmdemo.training.trainables.head import HeadLearning, merged, new_head, recall_of
from mmdemo.training.trainer import Trainer


def main() -> None:
    """Print the table: the drawings once, then repeated with noise where more labels are needed."""
    art = load_clipart()
    held_out = art.measured
    compute, settings = decide_compute("cpu"), TrainSettings()
    rng = np.random.default_rng(0)
    print("| labels | epochs | seconds | seconds per 1000 labels |")
    print("|---|---|---|---|")
    for count in (100, 420, 1000, 3000, 10_000):
        rows = art.train[np.arange(count) % len(art.train)]
        part = art.pairs.take(rows)
        noise = rng.normal(0, 0.05, part.features.shape).astype(np.float32) * (count > len(art.train))
        codes = np.arange(count, dtype=np.int64)
        train = PairArrays(part.features + noise, part.texts, part.match, codes, codes)
        with tempfile.TemporaryDirectory() as folder:
            begun = time.perf_counter()
            head = new_head(train, art.pairs.features, 384, settings, compute)
            *_, record = Trainer(
                HeadLearning(head, train, settings, compute),
                settings,
                "head",
                compute,
                Path(folder) / "state",
                check=recall_of(head, held_out, 384),
            ).epochs()
            merged(head)
            seconds = time.perf_counter() - begun
        print(f"| {count} | {record.epochs} | {seconds:.2f} | {1000 * seconds / count:.2f} |")


if __name__ == "__main__":
    main()
