"""The frames of a whole collection of videos in memory, searched at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mmdemo.asker import is_gone
from mmdemo.errors import BusyError
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
        self._made: dict[str, VideoFrames] = {}  # that are in no matrix yet
        self._lock = threading.Lock()  # of what is made; held for one video at a time

    def lacking(self, ids: Sequence[str]) -> list[str]:
        """Those of some videos that are not in yet."""
        return [i for i in ids if i not in self._now.videos and i not in self._made]

    def extend(self, ids: Sequence[str], stopped: Callable[[], bool] = lambda: False) -> FrameMatrix:
        """Take in the videos whose frame features are on disk and that are not in yet, and leave out those
        that are not among them any more; what is known now.

        One video is made at a time, by whoever is there, and is made for all: so nobody waits for all of a
        collection because somebody else has asked for it first.

        Args:
            ids: the collection.
            stopped: asked before each video that is not in yet; then those are left for the next time.

        Raises:
            BusyError: whoever asked has gone. What was made until then is kept.
        """
        own: dict[str, VideoFrames] = {}
        for item_id in ids:
            if (found := self._now.videos.get(item_id)) is None:
                if is_gone():
                    raise BusyError("Nobody waits for this any more.", "Ask again.")
                if stopped():
                    continue  # those that are in already stay in, wherever they stand
                with self._lock:
                    found = self._now.videos.get(item_id) or self._made.get(item_id) or self._make(item_id)
            if found is not None:
                own[item_id] = found
        with self._lock:
            if own.keys() != self._now.videos.keys():
                self._now = self._joined(own)
            self._made = {i: video for i, video in self._made.items() if i not in own}
            return self._now

    def _make(self, item_id: str) -> VideoFrames | None:
        found = kept_features(self._ws, self._aligner.towers.media.id, item_id)
        if found is None:
            return None
        vectors = self._aligner.frame_vectors(found)
        made = self._made[item_id] = VideoFrames(found.times, found.shots, vectors)
        return made

    def _joined(self, videos: dict[str, VideoFrames]) -> FrameMatrix:
        none = np.zeros((0, self._aligner.dim), np.float32)
        return FrameMatrix(videos, np.concatenate([none, *(v.vectors for v in videos.values())]))
