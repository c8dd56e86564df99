"""Ten epochs of a head over 2,000 pairs: from cached features, and with the features made anew each epoch.

    python benchmarks/cached_features.py

Both train the same head from the same seed with mmdemo's loop; the weights they arrive at are compared. The
pairs are the drawings of assets/, each several times under a text of its own.
"""

from __future__ import annotations

import time

import numpy as np
from common import load_clipart

from mmdemo.evaluation.pair_arrays import PairArrays
from mmdemo.media.image import decode_image
from mmdemo.models.device import decide_compute
from mmdemo.models.heads.residual import ResidualHead
from mmdemo.retrieval.encode_stream import encode_stream
from mmdemo.settings import ASSETS
from mmdemo.training.config import TrainSettings
from mmdemo.training.trainables.head import train_head

PAIRS, EPOCHS = 2000, 10


def main() -> None:
    """Print both times, the ratio, and how far the weights are apart."""
    art = load_clipart()
    names = [art.names[i % len(art.names)] for i in range(PAIRS)]
    texts = [f"{name.removesuffix('.jpg')} {i // len(art.names)}" for i, name in enumerate(names)]
    paths = [ASSETS / "clipart" / "images" / name for name in names]
    train = PairArrays(
        np.zeros((PAIRS, art.pairs.features.shape[1]), np.float32),
        np.zeros((PAIRS, 384), np.float32),
        np.ones(PAIRS, bool),
        np.arange(PAIRS) % len(art.names),
        np.arange(PAIRS),
    )

    def make_features() -> None:
        train.features[:] = np.concatenate(
            [f for _, f in encode_stream(art.towers.media, decode_image, paths)]
        )
        train.texts[:] = art.towers.text.encode(texts)

    def run(anew: bool) -> tuple[float, ResidualHead]:
        begun = time.perf_counter()
        settings = TrainSettings(EPOCHS, seed=0, members=1)
        epochs = train_head(train, None, art.pairs.features, 384, settings, decide_compute("cpu"))
        while True:
            if anew:
                make_features()  # the loop reads these arrays, so that the next epoch learns from them
            try:
                _, head = next(epochs)
            except StopIteration:
                return time.perf_counter() - begun, head

    make_features()
    cached_s, cached = run(anew=False)
    anew_s, anew = run(anew=True)
    anew_s *= EPOCHS / (EPOCHS + 1)  # they were made once more before the loop said that it was over
    apart = max(
        float((a - b).detach().abs().max())
        for a, b in zip(cached.parameters(), anew.parameters(), strict=True)
    )
    print(f"{PAIRS} pairs, {EPOCHS} epochs")
    print(
        f"features anew each epoch: {anew_s:.1f} s; cached: {cached_s:.2f} s: {anew_s / cached_s:.0f} times"
    )
    print(f"largest difference of a weight: {apart:.1e}")


if __name__ == "__main__":
    main()
