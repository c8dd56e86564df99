"""The frames of a whole collection of videos in memory, searched at once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmdemo.models.video.aligner import VideoAligner
from mmdemo.retrieval.video.frames import kept_features
from mmdemo.store.workspace import Workspace


@dataclass(frozen=True)
class VideoFrames:
    """The frames of one video."""

    times: np.ndarray  # (N,) seconds
    shots: np.ndarray  # (S, 2) start and end in seconds
    vectors: np.ndarray  # (N, D)


@dataclass(frozen=True)
class FrameMatrix:
    """The frames of the videos that were known at a time; it never changes."""

    videos: dict[str, VideoFrames]  # by item
    matrix: np.ndarray  # (M, D) all vectors, video after video

    @property
    def ids(self) -> list[str]:
        """The videos in it, in the order of `scores`."""
        return list(self.videos)

    def scores(self, texts: np.ndarray) -> np.ndarray:
        """(V, T) the best frame's cosine of each video with each of (T, D) text vectors."""
        if not self.videos:
            return np.zeros((0, len(texts)), np.float32)
        starts = np.cumsum([0, *(len(v.times) for v in self.videos.values())])[:-1]
        return np.maximum.reduceat(self.matrix @ texts.T, starts, axis=0)


class FrameIndex:
    """The frame vectors of a collection by one version, in memory: 61 MB for 1,000 videos of 20 s.

    Args:
        ws: the workspace.
        aligner: the version.
    """

    def __init__(self, ws: Workspace, aligner: VideoAligner) -> None:
        self._ws = ws
        self._aligner = aligner
        self._now = FrameMatrix({}, np.zeros((0, aligner.dim), np.float32))
        self._lock = threading.Lock()

    def extend(self, ids: Sequence[str]) -> FrameMatrix:
        """Take in the videos whose frame features are on disk and that are not in yet, and leave out those
        that are not among them any more; what is known now.
        """
        with self._lock:
            wanted = set(ids)
            if not wanted.issuperset(self._now.videos):
                kept = {item: video for item, video in self._now.videos.items() if item in wanted}
                self._now = self._joined(kept)
            new: dict[str, VideoFrames] = {}
            for item_id in ids:
                if item_id not in self._now.videos:
                    found = kept_features(self._ws, self._aligner.towers.media.id, item_id)
                    if found is not None:
                        vectors = self._aligner.frame_vectors(found)
                        new[item_id] = VideoFrames(found.times, found.shots, vectors)
            if new:
                self._now = self._joined(self._now.videos | new)
            return self._now

    def _joined(self, videos: dict[str, VideoFrames]) -> FrameMatrix:
        none = np.zeros((0, self._aligner.dim), np.float32)
        return FrameMatrix(videos, np.concatenate([none, *(v.vectors for v in videos.values())]))
