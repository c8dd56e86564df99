"""How a map is made: what is there already stays where it is as far as it can."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from mmdemo.retrieval.maps.groups import centres_of, group_of, in_the_order_of
from mmdemo.retrieval.maps.kept import KeptMap, as_bytes, newest_other, read_map, write_map
from mmdemo.retrieval.maps.projection import Stop, first_places, laid_out, put_among

GROWN = 0.2  # new items beside those that were laid out together, from which on all are laid out again
ENOUGH = 0.5  # of the items: so many have a place on another version's map for it to go on from there

Named = Callable[[np.ndarray], list[str]]  # the names of (G, D) centres


class MapMaker:
    """Makes the map of one version of a task from its vectors, and keeps it.

    Args:
        folder: of the cache.
        task: whose items.
        version: whose vectors.
        there: the versions that there are.
    """

    def __init__(self, folder: Path, task: str, version: str, there: list[str]) -> None:
        self._folder = folder
        self._task = task
        self._version = version
        self._there = there

    def make(
        self,
        ids: list[str],
        vectors: np.ndarray,
        named: Named,
        made_of: tuple[int, int],
        shown: Callable[[KeptMap], None] = lambda kept: None,
        stop: Stop | None = None,
    ) -> KeptMap:
        """The map of N items. A few new ones are put among the others, which stay.

        Args:
            ids: of the items.
            vectors: (N, D) theirs.
            named: names groups.
            made_of: the collection's last change, and its items, of which some may have no vectors.
            shown: hears of a map that can be shown while a better one is made.
            stop: whether it was stopped, and who hears how far it is.

        Raises:
            Stopped: it was stopped; what was kept before stays.
            StorageError: the disk refused.
        """
        own = read_map(self._folder, self._task, self._version)
        if own is not None and len(ids):
            rows = own.rows(ids)
            if (rows < 0).sum() <= GROWN * own.whole and (rows >= 0).any():
                return self._kept(self._grown(own, ids, vectors, rows, named, made_of), own)
        before = own or newest_other(self._folder, self._task, self._version, self._there)
        start = self._start(before, ids, vectors)
        first = first_places(vectors) if start is None else start
        kept = replace(self._grouped(ids, vectors, first, before, named), made_of=(made_of[0], -1))
        shown(kept)
        places = laid_out(vectors, start, stop)
        return self._kept(replace(kept, places=places, whole=len(ids), made_of=made_of), None)

    def _grown(
        self,
        own: KeptMap,
        ids: list[str],
        vectors: np.ndarray,
        rows: np.ndarray,
        named: Named,
        made_of: tuple[int, int],
    ) -> KeptMap:
        """The map that is there, of the items and the texts that there are now."""
        new = rows < 0
        if own.made_of == made_of and not new.any():
            return own
        names = own.names if own.made_of[0] == made_of[0] else tuple(named(own.centres))
        places = own.places[rows]
        groups = own.groups[rows]
        if new.any():
            places[new] = put_among(vectors[new], vectors[~new], places[~new])
            groups[new] = group_of(vectors[new], own.centres)
        return KeptMap(self._version, as_bytes(ids), places, groups, own.centres, names, own.whole, made_of)

    def _start(self, before: KeptMap | None, ids: list[str], vectors: np.ndarray) -> np.ndarray | None:
        """Where the points stand on a map of before, those without a place among their neighbours."""
        rows = before.rows(ids) if before is not None else np.empty(0, np.int64)
        known = rows >= 0
        if before is None or known.sum() < max(1, ENOUGH * len(ids)):
            return None
        places = before.places[rows]
        if not known.all():
            places[~known] = put_among(vectors[~known], vectors[known], places[known])
        return places

    def _grouped(
        self, ids: list[str], vectors: np.ndarray, places: np.ndarray, before: KeptMap | None, named: Named
    ) -> KeptMap:
        centres = centres_of(vectors)
        groups = group_of(vectors, centres)
        if before is not None and len(centres):
            rows = before.rows(ids)
            was = np.where(rows >= 0, before.groups[rows], -1)
            centres = in_the_order_of(centres, groups, was)
            groups = group_of(vectors, centres)
        names = tuple(named(centres))
        return KeptMap(self._version, as_bytes(ids), places, groups, centres, names)

    def _kept(self, kept: KeptMap, own: KeptMap | None) -> KeptMap:
        if kept is not own:
            write_map(self._folder, self._task, kept)
        return kept
