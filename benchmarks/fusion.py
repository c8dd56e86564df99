"""Shared space, concatenation and cross-attention on the same held-out drawings.

    python benchmarks/fusion.py

Matches are the train drawings with their titles; for half as many drawings the base version's nearest wrong
title is marked as a mismatch. The picture tower and the text tower stay as they are; each kind of head is
trained on their features by the same settings. `alone` answers without the shared space. Validation, 3 seeds.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
from common import load_clipart

from mmdemo.evaluation.measure import measure
from mmdemo.evaluation.pair_arrays import PairArrays
from mmdemo.media.image import decode_image
from mmdemo.models.device import decide_compute
from mmdemo.models.heads.residual import Projection
from mmdemo.settings import ASSETS
from mmdemo.training.config import TrainSettings
from mmdemo.training.trainables.head import train_head

KINDS = (
    ("shared space", "residual", False),
    ("concatenation beside it", "concatenation", False),
    ("cross-attention beside it", "cross-attention", False),
    ("concatenation alone", "concatenation", True),
    ("cross-attention alone", "cross-attention", True),
)


def main() -> None:
    """Print the table."""
    art = load_clipart()
    paths = sorted((ASSETS / "clipart" / "images").glob("*.jpg"))
    by_name = {path.name: decode_image(path) for path in paths}
    tower = art.towers.media
    cells = np.concatenate(
        [
            tower.cells([by_name[n] for n in art.names[i : i + 32]])  # type: ignore[attr-defined]
            for i in range(0, len(art.names), 32)
        ]
    ).astype(np.float16)
    pairs = replace(art.pairs, cells=cells)
    held_out, matches = replace(pairs.take(art.validation), bank=art.measured.bank), pairs.take(art.train)
    base = Projection(384, None)
    near = base.media(matches.features) @ base.text(matches.texts).T
    np.fill_diagonal(near, -1)
    marked = np.arange(0, len(matches), 2)
    wrong = near[marked].argmax(1)
    order = np.concatenate([np.arange(len(matches)), marked])
    titles = np.concatenate([np.arange(len(matches)), wrong])
    rows = matches.take(order)
    train = replace(
        rows,
        texts=matches.texts[titles],
        text_code=matches.text_code[titles],
        match=np.arange(len(order)) < len(matches),
    )
    print(f"{len(matches)} matches, {len(marked)} marked mismatches, {len(held_out)} held-out pairs")
    print("| head | R@1 text to picture | R@1 picture to text | mean recall | seconds |")
    print("|---|---|---|---|---|")
    found = measure(None, held_out, 384)
    print(
        f"| base version | {found.text_to_media.recall(1):.1f} | {found.media_to_text.recall(1):.1f} "
        f"| {found.mean_recall:.1f} | |"
    )
    for name, kind, alone in KINDS:
        print(row(name, train, held_out, art.pairs, kind, alone), flush=True)


def row(name: str, train: PairArrays, held_out: PairArrays, all: PairArrays, kind: str, alone: bool) -> str:
    """One line of the table: the mean over three seeds, and the spread of the mean recall."""
    reached, begun = [], time.perf_counter()
    for seed in range(3):
        settings = TrainSettings(20, head=kind, alone=alone, seed=seed, members=1)
        *_, (_, head) = train_head(train, None, all.features, 384, settings, decide_compute("cpu"))
        found = measure(head, held_out, 384)
        reached.append((found.text_to_media.recall(1), found.media_to_text.recall(1), found.mean_recall))
    there, back, recall = np.mean(reached, 0)
    spread, each = np.std(reached, 0)[2], (time.perf_counter() - begun) / 3
    return f"| {name} | {there:.1f} | {back:.1f} | {recall:.1f} ± {spread:.1f} | {each:.1f} |"


if __name__ == "__main__":
    main()
