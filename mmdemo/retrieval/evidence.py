"""What is known of pairs beside the shared space, each pair asked once: such as how likely a recording makes
a text.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from mmdemo.errors import LostError, MediaError, NumberError, UserError
from mmdemo.models.aligner import HeadAligner
from mmdemo.retrieval.embed import looked_at
from mmdemo.store.texts import short_id, text_id
from mmdemo.store.vectors import VectorFile
from mmdemo.store.workspace import Workspace

MOST_PAIRS = 200_000  # that are remembered: 40 MB
MOST_MEDIA_MB = 128  # of what is kept in memory of media: an hour of encoder states
KEPT = "evidence-2"  # change it when what aligners know of the same pairs changes
APPENDED = 256  # pairs written to the disk at once


class PairEvidence:
    """An aligner's evidence about pairs of items and texts.

    Args:
        ws: the workspace.
        aligner: what gives evidence.
        keep: write it to the disk where it holds for every version on the same towers, as an evaluation asks
            for the same pairs again and again; what people look for is only remembered.
    """

    def __init__(self, ws: Workspace, aligner: HeadAligner, keep: bool = False) -> None:
        self._ws = ws
        self._aligner = aligner
        self._known: OrderedDict[tuple[str, str], np.ndarray] = OrderedDict()
        self._media: OrderedDict[str, Any] = OrderedDict()
        self._lock = threading.Lock()
        self._file: VectorFile | None = None
        if aligner.evidence_of_towers:
            name = f"{aligner.towers.media.id}-{KEPT}"
            if keep or (ws.folder / "vectors" / f"{name}.keys").exists():
                self._file = ws.vectors(name, aligner.evidence_dim)
        self._keep = keep and self._file is not None

    def of(self, items: Sequence[str], texts: Sequence[str]) -> np.ndarray:
        """(K, E) float32 evidence about K pairs, one of an item with one text.

        Raises:
            LostError: the files of some cannot be read.
        """
        pairs = list(zip(items, texts, strict=True))
        self._read([pair for pair in dict.fromkeys(pairs) if pair not in self._known])
        fresh: list[tuple[str, str]] = []
        lost: dict[str, LostError] = {}
        for item, asked in _unknown(pairs, self._known).items():
            try:
                medium = self.medium(item)
            except LostError as e:
                lost[item] = e
                continue
            found = self._aligner.evidence(medium, asked)
            for text, row in zip(asked, np.asarray(found, np.float32), strict=True):
                self._known[item, text] = row
                fresh.append((item, text))
            if len(fresh) >= APPENDED:
                self._write(fresh)
                fresh = []
        self._write(fresh)
        if lost:
            first = next(iter(lost.values()))
            raise LostError(first.what, first.cure, lost) from first
        rows = np.stack([self._known[pair] for pair in pairs]) if pairs else np.empty((0, 0), np.float32)
        with self._lock:
            while len(self._known) > MOST_PAIRS:
                self._known.popitem(last=False)
        return rows

    def medium(self, item_id: str) -> Any:
        """What the aligner takes of an item; the latest stay in memory.

        Raises:
            UserError: there is no such item.
            LostError: its file cannot be read.
        """
        with self._lock:
            if item_id in self._media:
                self._media.move_to_end(item_id)
                return self._media[item_id]
        item = self._ws.items.get(item_id)
        if item is None:
            raise UserError(f"There is no item {short_id(item_id)}.", "Choose another one.")
        try:
            medium = looked_at(self._ws, self._aligner, item)
        except (MediaError, NumberError) as e:
            raise LostError(e.what, e.cure, [item_id]) from e
        with self._lock:
            self._media[item_id] = medium
            while sum(map(_size_mb, self._media.values())) > MOST_MEDIA_MB and len(self._media) > 1:
                self._media.popitem(last=False)
        return medium

    def _read(self, pairs: Sequence[tuple[str, str]]) -> None:
        if self._file is None or not pairs:
            return
        self._file.refresh()
        self._file.missing([_key(*pair) for pair in pairs])  # which leaves out what is damaged
        rows = self._file.rows_of([_key(*pair) for pair in pairs])
        matrix = self._file.matrix()
        for pair, row in zip(pairs, rows.tolist(), strict=True):
            if row >= 0:
                self._known[pair] = np.array(matrix[row])

    def _write(self, pairs: Sequence[tuple[str, str]]) -> None:
        if self._keep and pairs:
            assert self._file is not None
            self._file.append([_key(*p) for p in pairs], np.stack([self._known[p] for p in pairs]))


def remembered(
    evidence: Callable[[str, Sequence[str]], np.ndarray],
) -> Callable[[Sequence[str], Sequence[str]], np.ndarray]:
    """As `PairEvidence.of` for media that are no items: each pair asked once.

    Args:
        evidence: of a medium by its name, and T texts: (T, E).
    """
    known: dict[tuple[str, str], np.ndarray] = {}

    def of(media: Sequence[str], texts: Sequence[str]) -> np.ndarray:
        pairs = list(zip(media, texts, strict=True))
        for medium, asked in _unknown(pairs, known).items():
            known.update(zip([(medium, text) for text in asked], evidence(medium, asked), strict=True))
        return np.stack([known[pair] for pair in pairs])

    return of


def _unknown(
    pairs: Sequence[tuple[str, str]], known: Mapping[tuple[str, str], np.ndarray]
) -> dict[str, list[str]]:
    """The texts of pairs that are not known yet, each once, by their medium."""
    missing: dict[str, list[str]] = {}
    for medium, text in dict.fromkeys(pairs):
        if (medium, text) not in known:
            missing.setdefault(medium, []).append(text)
    return missing


def _key(item: str, text: str) -> str:
    return hashlib.sha256(f"{item} {text_id(text)}".encode()).hexdigest()


def _size_mb(medium: Any) -> float:
    arrays = [a for value in vars(medium).values() for a in (value if isinstance(value, tuple) else (value,))]
    return sum(getattr(a, "nbytes", 0) for a in arrays) / 1e6 if hasattr(medium, "__dict__") else 0.0
