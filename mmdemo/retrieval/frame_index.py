"""The frames of a whole collection of videos in memory, searched at once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmdemo.models.video.aligner import VideoAligner
from mmdemo.retrieval.frames import kept_features
from mmdemo.store.workspace import Workspace


@dataclass(frozen=True)
class _Video:
    times: np.ndarray
    shots: np.ndarray
    vectors: np.ndarray  # (N, D)


class FrameIndex:
    """The frame vectors of a collection by one version, in memory: 61 MB for 1,000 videos of 20 s.

    Args:
        ws: the workspace.
        aligner: the version.
    """

    def __init__(self, ws: Workspace, aligner: VideoAligner) -> None:
        self._ws = ws
        self._aligner = aligner
        self._videos: dict[str, _Video] = {}
        self._matrix = np.zeros((0, aligner.dim), np.float32)  # all vectors, video after video
        self._starts = np.zeros(0, np.int64)  # (V,) each video's first row
        self._lock = threading.Lock()

    def extend(self, ids: Sequence[str]) -> None:
        """Take in the videos whose frame features are on disk and that are not in yet."""
        with self._lock:
            new = 0
            for item_id in ids:
                if item_id not in self._videos:
                    kept = kept_features(self._ws, self._aligner.towers.media.id, item_id)
                    if kept is not None:
                        vectors = self._aligner.frame_vectors(kept)
                        self._videos[item_id] = _Video(kept.times, kept.shots, vectors)
                        new += 1
            if new:
                self._matrix = np.concatenate([v.vectors for v in self._videos.values()])
                self._starts = np.cumsum([0, *(len(v.times) for v in self._videos.values())])[:-1]

    @property
    def ids(self) -> list[str]:
        """The videos in it, in the order of `scores`."""
        return list(self._videos)

    def scores(self, texts: np.ndarray) -> np.ndarray:
        """(V, T) the best frame's cosine of each video with each of (T, D) text vectors."""
        with self._lock:
            if not self._videos:
                return np.zeros((0, len(texts)), np.float32)
            return np.maximum.reduceat(self._matrix @ texts.T, self._starts, axis=0)

    def video(self, item_id: str) -> Any:
        """The times, shots and vectors of one video."""
        return self._videos[item_id]
