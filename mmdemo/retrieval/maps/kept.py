"""A map as it is kept in the cache: places and groups by item, of one version of a task."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from mmdemo.media.below import below
from mmdemo.store.durable import write_durably
from mmdemo.store.kept_arrays import read_arrays
from mmdemo.store.vectors import KEY_BYTES

ARRAYS = ("ids", "places", "groups", "centres", "names", "whole", "made_of")


@dataclass(frozen=True)
class KeptMap:
    """Where N items lie; it never changes."""

    version: str
    ids: np.ndarray  # (N, 32) uint8, of items
    places: np.ndarray  # (N, 2) float32
    groups: np.ndarray  # (N,) int16, -1: of none
    centres: np.ndarray  # (G, D) float32
    names: tuple[str, ...]  # of G groups, empty where none is clear
    whole: int = 0  # items that were laid out together; the others were put among them
    # Of which collection: its last change, which the names are of, and its items; -1: it is not laid out yet
    made_of: tuple[int, int] = (-1, -1)
    token: str = field(default_factory=lambda: os.urandom(6).hex())  # of this very map

    @cached_property
    def row_of(self) -> dict[str, int]:
        """The row of each item."""
        return {item: row for row, item in enumerate(map(bytes.hex, map(bytes, self.ids)))}

    def rows(self, ids: Sequence[str]) -> np.ndarray:
        """(M,) the rows of items, -1 where one has no place."""
        return np.array([self.row_of.get(item, -1) for item in ids], np.int64)


def as_bytes(ids: Sequence[str]) -> np.ndarray:
    """(N, 32) uint8 of N ids."""
    return np.frombuffer(b"".join(map(bytes.fromhex, ids)), np.uint8).reshape(-1, KEY_BYTES)


def path_of(folder: Path, task: str, version: str) -> Path:
    """Where the map of a version is or would be, below the cache's folder."""
    return below(folder, "maps", task, f"{version}.npz")


def read_map(folder: Path, task: str, version: str) -> KeptMap | None:
    """The map of a version as it was kept; None: there is none, or a damaged one, which goes."""
    path = path_of(folder, task, version)
    found = read_arrays(path)
    try:
        names = tuple(json.loads(str(found["names"])))
        ids, places, groups = found["ids"], found["places"], found["groups"]
        change, items = found["made_of"].tolist()
        whole, made_of = int(found["whole"]), (int(change), int(items))
        kept = KeptMap(version, ids, places, groups, found["centres"], names, whole, made_of)
        shapes = ids.shape == (len(ids), KEY_BYTES) and places.shape == (len(ids), 2)
        sound = shapes and groups.shape == (len(ids),) and len(names) == len(kept.centres)
        if sound and groups.max(initial=-1) < len(names):
            return kept
    except (KeyError, ValueError, TypeError, IndexError):
        if not found:
            return None
    path.unlink(missing_ok=True)
    return None


def write_map(folder: Path, task: str, kept: KeptMap) -> None:
    """Keep a map.

    Raises:
        StorageError: the disk refused.
    """
    out = io.BytesIO()
    np.savez(
        out,
        ids=kept.ids,
        places=kept.places,
        groups=kept.groups,
        centres=kept.centres,
        names=np.array(json.dumps(kept.names)),
        whole=np.array(kept.whole),
        made_of=np.array(kept.made_of),
    )
    write_durably(path_of(folder, task, kept.version), out.getvalue(), "The map")


def newest_other(folder: Path, task: str, version: str, there: Sequence[str]) -> KeptMap | None:
    """The map of another version that was made last; those of versions that are gone go.

    Args:
        folder: the cache's.
        task: whose maps.
        version: that is not meant.
        there: the versions that there are.
    """
    found = []
    for path in (folder / "maps" / task).glob("*.npz"):
        if path.stem not in there:
            path.unlink(missing_ok=True)
        elif path.stem != version:
            found.append((path.stat().st_mtime, path.stem))
    for _, name in sorted(found, reverse=True):
        kept = read_map(folder, task, name)
        if kept is not None:
            return kept
    return None
