"""A table of numbers: read, described, drawn. A row is a moment, a column a channel."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from mmdemo.errors import MediaError
from mmdemo.modality import Facts
from mmdemo.settings import Settings

NUMBER = re.compile(r"[-+]?(\d|\.\d)[\d.eE+-]*|nan|inf")
CLOCKS = {"time", "t", "date", "timestamp"}  # columns that say when, and not what
INKS = ((37, 99, 235), (234, 88, 12), (22, 163, 74), (147, 51, 234))


def read_series(source: bytes | Path) -> np.ndarray:
    """(T, C) float64 values of a CSV or TSV, whose first row may name the columns.

    Raises:
        MediaError: it is no table of numbers, in one sentence.
    """
    name = source.name if isinstance(source, Path) else "This file"
    data = source.read_bytes() if isinstance(source, Path) else source
    lines = data.decode("utf-8-sig", errors="replace").replace("\x00", "\ufffd").splitlines()
    delimiter = max(",;\t", key=lines[0].count) if lines else ","
    try:
        rows = [row for row in csv.reader(lines, delimiter=delimiter) if any(cell.strip() for cell in row)]
        head = rows.pop(0) if rows and not NUMBER.fullmatch(rows[0][-1].strip()) else rows[0] if rows else []
        kept = [i for i, column in enumerate(head) if column.strip().lower() not in CLOCKS]
        values = np.array([[float(row[i]) for i in kept] for row in rows], np.float64)
    except (csv.Error, ValueError, IndexError) as e:
        raise MediaError(f"{name} is no table of numbers: {e}.", "Give each row the same columns.") from e
    if values.ndim != 2 or values.shape[1] < 1 or len(values) < 2 or not np.isfinite(values).all():
        raise MediaError(f"{name} is no series.", "Give it two rows or more, with a finite number in each.")
    return values


def describe(data: bytes | Path, settings: Settings) -> Facts:
    """What is kept of a file beside its bytes."""
    read_series(data)
    return Facts(".csv")


def decode(tower: Any, source: bytes | Path, settings: Settings | None) -> np.ndarray:
    """What the tower takes."""
    return read_series(source)


def draw(ws: Any, item: Any, side_px: int) -> Image.Image:
    """Each channel as a line over its own range."""
    values, height = read_series(ws.media_path(item)), round(0.4 * side_px)
    image = Image.new("RGB", (side_px, height), "white")
    rows = np.linspace(0, len(values) - 1, min(len(values), 2 * side_px)).round().astype(int)
    for channel, ink in zip(values.T, INKS, strict=False):
        low, spread = channel.min(), max(float(np.ptp(channel)), 1e-12)
        y = height * (0.95 - 0.9 * (channel[rows] - low) / spread)
        points = zip(np.linspace(0, side_px - 1, len(rows)).tolist(), y.tolist(), strict=True)
        ImageDraw.Draw(image).line(list(points), fill=ink, width=max(1, side_px // 160))
    return image
