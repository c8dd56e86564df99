"""Frames of videos: their features, made once and kept, and those of a whole collection in memory.

A video is decoded once from beginning to end: every frame says how much it differs from the one before it,
which gives the shots, and two a second go through the picture tower, decoded ahead of it. Of a video longer
than an hour 7,200 frames are spread evenly.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from mmdemo.errors import MediaError
from mmdemo.media.shots import find_shots
from mmdemo.media.video import Decoded, decode_video, key_frames, probe_video
from mmdemo.models.video import FrameFeatures, VideoAligner, VideoTower
from mmdemo.retrieval.embed import encode_stream
from mmdemo.store.media_store import write_durably
from mmdemo.store.tables import Item
from mmdemo.store.workspace import Workspace

EVERY_S = 0.5
MOST_FRAMES = 7200
COARSE_FRAMES = 16  # key frames of a first look


def frame_features(
    ws: Workspace,
    tower: VideoTower,
    item: Item,
    stopped: Callable[[], bool] = lambda: False,
    progress: Callable[[float], None] = lambda seconds: None,
) -> FrameFeatures:
    """A video's frame features, computed once and kept in cache/frames, 7 kB a second of video.

    Raises:
        MediaError: nothing of the video can be decoded.
    """
    kept = kept_features(ws, tower.id, item.id)
    if kept is None:
        kept = analyse_video(tower, ws.media_path(item), stopped, progress)
        if not stopped():
            out = io.BytesIO()
            np.savez(out, times=kept.times, features=kept.features, shots=kept.shots)
            write_durably(_path(ws, tower.id, item.id), out.getvalue())
    return kept


def kept_features(ws: Workspace, tower_id: str, item_id: str) -> FrameFeatures | None:
    """The frame features that are on disk."""
    path = _path(ws, tower_id, item_id)
    if not path.exists():
        return None
    with np.load(path, allow_pickle=False) as found:
        return FrameFeatures(found["times"], found["features"], found["shots"])


def is_kept(ws: Workspace, tower_id: str, item_id: str) -> bool:
    """Whether a video's frame features are on disk."""
    return _path(ws, tower_id, item_id).exists()


def _path(ws: Workspace, tower_id: str, item_id: str) -> Path:
    return ws.folder / "cache" / "frames" / tower_id / item_id[:2] / f"{item_id[2:]}.npz"


def analyse_video(
    tower: VideoTower,
    source: bytes | Path,
    stopped: Callable[[], bool] = lambda: False,
    progress: Callable[[float], None] = lambda seconds: None,
) -> FrameFeatures:
    """Decode once, encode as it comes; where the file is damaged, what can be read is used.

    Raises:
        MediaError: not a video, or nothing of it can be decoded.
    """
    facts = probe_video(source)
    every_s = max(EVERY_S, facts.duration_s / MOST_FRAMES)
    wanted = np.arange(0, facts.duration_s + every_s, every_s)
    times: list[float] = []
    changes: list[float] = []

    def pictures() -> Iterator[Decoded]:
        for frame in decode_video(source, cast(Sequence[float], wanted), tower.frames.input_px):
            times.append(frame.time_s)
            changes.append(frame.change)
            if frame.image is not None:
                yield frame
            if stopped():
                return

    chosen: list[float] = []
    parts: list[np.ndarray] = []
    for frames, features in encode_stream(tower.frames, lambda f: f.image, pictures()):
        chosen += [f.time_s for f in frames]
        parts.append(features.astype(np.float16))
        progress(chosen[-1])
    if not parts:
        raise MediaError("No picture of this video can be decoded.", "Choose another video.")
    shots = find_shots(np.array(times), np.array(changes), max(facts.duration_s, times[-1]))
    return FrameFeatures(np.array(chosen, np.float32), np.concatenate(parts), shots.astype(np.float32))


def first_look(tower: VideoTower, source: bytes | Path) -> FrameFeatures:
    """The features of a few key frames, each taken for a shot of its own: enough to answer at once."""
    facts = probe_video(source)
    at = np.linspace(0, facts.duration_s, COARSE_FRAMES, endpoint=False)
    found = key_frames(source, cast(Sequence[float], at), tower.frames.input_px)
    features = tower.frames.encode([f.image for f in found]).astype(np.float16)
    times = np.array([f.time_s for f in found], np.float32)
    ends = np.append(times[1:], max(facts.duration_s, float(times[-1])))
    return FrameFeatures(times, features, np.column_stack([times, ends]).astype(np.float32))


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
        self._matrix = np.zeros((0, aligner.dim), np.float32)
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

    @property
    def ids(self) -> list[str]:
        """The videos in it, in the order of `scores`."""
        return list(self._videos)

    def scores(self, texts: np.ndarray) -> np.ndarray:
        """(V, T) the best frame's cosine of each video with each of (T, D) text vectors."""
        with self._lock:
            if not self._videos:
                return np.zeros((0, len(texts)), np.float32)
            starts = np.cumsum([0, *(len(v.times) for v in self._videos.values())])[:-1]
            return np.maximum.reduceat(self._matrix @ texts.T, starts, axis=0)

    def video(self, item_id: str) -> Any:
        """The times, shots and vectors of one video."""
        return self._videos[item_id]
