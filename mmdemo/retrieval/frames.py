"""Frames of videos: their features, made once and kept, and those of a whole collection in memory.

A video is decoded once from beginning to end: every frame says how it differs from those before it, which
gives the shots, and two a second go through the picture tower, decoded ahead of it. Of a video longer
than an hour 7,200 frames are spread evenly.
"""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from mmdemo.errors import DataError, MediaError
from mmdemo.media.shots import find_shots
from mmdemo.media.video import Decoded, decode_video, key_frames, probe_video
from mmdemo.models.heads import Sequences
from mmdemo.models.video import FrameFeatures, VideoAligner, VideoTower, sequences
from mmdemo.retrieval.embed import encode_stream
from mmdemo.store.media_store import write_durably
from mmdemo.store.tables import Item
from mmdemo.store.workspace import Workspace

EVERY_S = 0.5
MOST_FRAMES = 7200
AT_ONCE = 16  # frames a forward pass
TRIED_S = 4.0  # of a video, from which the time for the whole is estimated
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
        path = _path(ws, tower.id, item.id)
        begun = path.with_suffix(".begun.npz")
        analysis = VideoAnalysis(tower, ws.media_path(item))
        if begun.exists():
            with np.load(begun, allow_pickle=False) as found:
                analysis.restore(found)
        analysis.run(stopped, progress)
        kept = analysis.result()
        if stopped():
            _write(begun, analysis.arrays())
        else:
            _write(path, {"times": kept.times, "features": kept.features, "shots": kept.shots})
            begun.unlink(missing_ok=True)
    return kept


def _write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    out = io.BytesIO()
    np.savez(out, **cast(Any, arrays))
    write_durably(path, out.getvalue())


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


def span_frames(
    ws: Workspace, tower_id: str, spans: Sequence[tuple[str, float | None, float | None]]
) -> Sequences:
    """The features of the frames of spans (item, start and end in seconds; None: open).

    Raises:
        DataError: a video was not looked through.
    """
    kept = {item: kept_features(ws, tower_id, item) for item in dict.fromkeys(item for item, _, _ in spans)}
    lost = [item for item, found in kept.items() if found is None]
    if lost:
        raise DataError(f"The frames of {lost[0][:12]} are not at hand.", "Start the run again.")
    return sequences([found.cut(start, end) for item, start, end in spans if (found := kept[item])])


def _path(ws: Workspace, tower_id: str, item_id: str) -> Path:
    return ws.folder / "cache" / "frames" / tower_id / item_id[:2] / f"{item_id[2:]}.npz"


class VideoAnalysis:
    """One walk through a video, which can be stopped, kept and gone on with.

    Args:
        tower: what encodes the frames.
        source: the file.

    Raises:
        MediaError: not a video.
    """

    def __init__(self, tower: VideoTower, source: bytes | Path) -> None:
        self._tower = tower
        self._source = source
        self.duration_s = probe_video(source).duration_s
        self._times: list[float] = []  # of every frame
        self._signs: list[tuple[float, float, float]] = []
        self._chosen: list[float] = []  # of the frames that are encoded
        self._parts: list[np.ndarray] = []

    def run(
        self,
        stopped: Callable[[], bool] = lambda: False,
        progress: Callable[[float], None] = lambda seconds: None,
        end_s: float | None = None,
    ) -> None:
        """Decode once, encode as it comes; where the file is damaged, what can be read is used."""
        every_s = max(EVERY_S, self.duration_s / MOST_FRAMES)
        wanted = np.arange(0, self.duration_s + every_s, every_s)
        start_s = self._times[-1] + 1e-3 if self._times else 0.0
        wanted = wanted[wanted > self._chosen[-1]] if self._chosen else wanted

        def pictures() -> Iterator[Decoded]:
            ask = cast(Sequence[float], wanted)
            for frame in decode_video(self._source, ask, self._tower.frames.input_px, start_s, end_s):
                self._times.append(frame.time_s)
                self._signs.append(frame.signs.row())
                if frame.image is not None:
                    yield frame
                if stopped():
                    return

        encoded = encode_stream(self._tower.frames, lambda f: f.image, pictures(), AT_ONCE)
        for frames, features in encoded:
            self._chosen += [f.time_s for f in frames]
            self._parts.append(features.astype(np.float16))
            progress(self._chosen[-1])

    def result(self) -> FrameFeatures:
        """What was found so far.

        Raises:
            MediaError: no picture could be decoded.
        """
        if not self._parts:
            raise MediaError("No picture of this video can be decoded.", "Choose another video.")
        end_s = max(self.duration_s, self._times[-1])
        shots = find_shots(np.array(self._times), np.array(self._signs), end_s)
        features = np.concatenate(self._parts)
        return FrameFeatures(np.array(self._chosen, np.float32), features, shots.astype(np.float32))

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything that going on needs."""
        return {
            "times": np.array(self._times),
            "signs": np.array(self._signs),
            "chosen": np.array(self._chosen),
            "features": np.concatenate(self._parts) if self._parts else np.zeros((0, 0), np.float16),
        }

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Go on from what `arrays` gave."""
        self._times = arrays["times"].tolist()
        self._signs = [(c, e, m) for c, e, m in arrays["signs"].tolist()]
        self._chosen = arrays["chosen"].tolist()
        self._parts = [arrays["features"]] if len(self._chosen) else []


def analyse_video(tower: VideoTower, source: bytes | Path) -> FrameFeatures:
    """The frame features and shots of a whole video.

    Raises:
        MediaError: not a video, or nothing of it can be decoded.
    """
    analysis = VideoAnalysis(tower, source)
    analysis.run()
    return analysis.result()


def estimate_s(tower: VideoTower, source: bytes | Path) -> float:
    """How long looking through a video will take here, from its first seconds."""
    analysis = VideoAnalysis(tower, source)
    part_s = min(TRIED_S, analysis.duration_s)
    begun = time.perf_counter()
    analysis.run(end_s=part_s)
    return (time.perf_counter() - begun) * analysis.duration_s / part_s


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
