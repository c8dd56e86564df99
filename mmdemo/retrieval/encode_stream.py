"""Media through a network, batch by batch: decoded on threads of their own, a few batches ahead of it."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from mmdemo.errors import MediaError, NumberError
from mmdemo.finite import CURE_OF_MODEL, require_finite, rows_of_numbers
from mmdemo.models.protocols import MediaTower

log = logging.getLogger(__name__)
BATCH = 32
AHEAD = 3  # batches decoded in advance: 15 MB of pixels at 224 x 224


def encode_stream(
    tower: MediaTower, load: Callable[[Any], Any], sources: Iterable[Any], batch: int = BATCH
) -> Iterator[tuple[list[Any], np.ndarray]]:
    """Features of media that are decoded on other threads, batch by batch.

    Args:
        tower: the network.
        load: from a source to a decoded medium; may raise MediaError or NumberError, which pass the source
            over.
        sources: paths, items, or whatever `load` takes.
        batch: media a forward pass.

    Yields:
        The sources of a batch that could be decoded, and their (N, F) features. One whose features, as they
        are kept in 16 bits, are infinite or not numbers is passed over as well.
    """

    def prepare(source: Any) -> Any:
        try:
            return tower.prepare(load(source))
        except (MediaError, NumberError, OSError) as e:
            log.warning("passed over: %s: %s", _name_of(source), e)
            return None

    waiting: deque[tuple[Any, Future[Any]]] = deque()
    remaining = iter(sources)
    workers = min(4, os.cpu_count() or 1, batch)
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="decode") as pool:

        def fill() -> None:
            for source in remaining:
                waiting.append((source, pool.submit(prepare, source)))
                if len(waiting) >= batch * AHEAD:
                    return

        fill()
        while waiting:
            taken = [waiting.popleft() for _ in range(min(batch, len(waiting)))]
            done = [(source, future.result()) for source, future in taken]
            fill()
            usable = [(source, medium) for source, medium in done if medium is not None]
            if usable:
                features = tower.encode([m for _, m in usable])
                kept, features = _with_numbers(tower, [s for s, _ in usable], features)
                if kept:
                    yield kept, features


def _with_numbers(
    tower: MediaTower, sources: list[Any], features: np.ndarray
) -> tuple[list[Any], np.ndarray]:
    """The sources whose features are numbers, with their features; the others are told in the log."""
    with np.errstate(over="ignore"):
        kept = features.astype(np.float16)
    good = rows_of_numbers(kept)
    for row in np.flatnonzero(~good):
        try:
            require_finite(kept[row], feature_of(tower, sources[row]), CURE_OF_MODEL)
        except NumberError as e:
            log.warning("passed over: %s", e)
    return [s for s, ok in zip(sources, good, strict=True) if ok], features[good]


def feature_of(tower: MediaTower, source: Any) -> str:
    """What the features of a file, an item or a frame are, at the beginning of a sentence."""
    return f"What {tower.id} makes of {_name_of(source)}"


def _name_of(source: Any) -> str:
    """Of a file, an item or a row; the frames of a video have none."""
    return str(getattr(source, "name", "") or "a frame")
