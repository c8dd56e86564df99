"""Time series with texts, drawn at random, for tests of the modality in examples/series_text."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np

POINTS = 120
TIME = np.linspace(0, 1, POINTS)
Draw = Callable[[np.random.Generator], np.ndarray]
KINDS: dict[str, Draw] = {
    "the level rises": lambda r: r.uniform(1, 4) * TIME,
    "the level falls": lambda r: -r.uniform(1, 4) * TIME,
    "a slow wave": lambda r: np.sin(r.uniform(18, 30) * TIME + r.uniform(0, 6)),
    "a fast vibration": lambda r: np.sin(r.uniform(150, 250) * TIME),
    "random noise": lambda r: r.normal(size=POINTS),
    "a sudden spike": lambda r: 9.0 * (abs(TIME - r.uniform(0.2, 0.8)) < 0.01),
}


HELD_OUT = ("random noise", "a sudden spike")


def write_series(folder: Path, each: int = 5, verdict: str = "") -> list[tuple[Path, str]]:
    """A folder of series with metadata.csv, whose files are called like the manifest is: x.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    rows: list[tuple[Path, str]] = []
    for number in range(each):
        for kind, (text, draw) in enumerate(KINDS.items()):
            path = folder / f"s{kind}{number}.csv"
            values = draw(random) + random.normal(size=POINTS) * 0.03
            lines = ["time,value", *(f"{i},{value:.4f}" for i, value in enumerate(values))]
            path.write_text("\n".join(lines) + "\n")
            rows.append((path, text))
    with (folder / "metadata.csv").open("w", newline="") as f:
        table = csv.writer(f)
        table.writerow(["file_name", "text", "verdict", "split"])
        splits = ("held-out" if text in HELD_OUT else "train" for _, text in rows)
        table.writerows([p.name, text, verdict, split] for (p, text), split in zip(rows, splits, strict=True))
    return rows
