"""Frames of videos: their features, made once and kept.

A video is decoded once from beginning to end: every frame says how it differs from those before it, which
gives the shots, and two a second go through the picture tower, decoded ahead of it. Of a video longer
than an hour 7,200 frames are spread evenly.
"""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from mmdemo.errors import DataError, MediaError
from mmdemo.finite import CURE_OF_MODEL, require_finite
from mmdemo.media.allowance import BEHIND_PX, WHILE_AWAITED_PX, Allowance
from mmdemo.media.container import VIDEOS, WHOLE_VIDEOS
from mmdemo.media.decode_budget import DecodeBudget
from mmdemo.media.shots import find_shots
from mmdemo.media.sprite_strip import StripMaker
from mmdemo.media.video import Decoded, decode_video, key_frames, probe_video
from mmdemo.models.heads.residual import Sequences
from mmdemo.models.video.aligner import FrameFeatures, VideoTower, sequences
from mmdemo.retrieval.encode_stream import encode_stream
from mmdemo.store.kept_arrays import read_arrays
from mmdemo.store.tables import Item
from mmdemo.store.texts import short_id
from mmdemo.store.workspace import Workspace

FEATURES, SEEN = ("times", "features", "shots"), ("shots", "strip_times", "damaged")  # of what is kept
EVERY_S = 0.5
MOST_FRAMES = 7200
AT_ONCE = 16  # frames a forward pass
TRIED_S = 4.0  # of a video, from which the time for the whole is estimated
JOINED_S = 1.0  # between damaged stretches that are told as one
LEAST_HOLE_S, HOLE = 0.5, 8  # of a damaged file: seconds, and times the usual step, without a frame
COARSE_FRAMES = 16  # key frames of a first look


def frame_features(
    ws: Workspace,
    tower: VideoTower,
    item: Item,
    stopped: Callable[[], bool] = lambda: False,
    progress: Callable[[float], None] = lambda seconds: None,
    patient: bool = False,
) -> FrameFeatures:
    """A video's frame features, computed once and kept in cache/frames, 7 kB a second of video.

    Raises:
        MediaError: nothing of the video can be decoded, or it takes too long for who is asking.
        BusyError: too many are looked through just now, and somebody waits for this one: it is not `patient`.
    """
    kept = kept_features(ws, tower.id, item.id)
    if kept is None:
        path = _path(ws, tower.id, item.id)
        begun = path.with_suffix(".begun.npz")
        analysis = VideoAnalysis(tower, ws.media_path(item), patient=patient)
        if begun_with := read_arrays(begun):
            analysis.restore(begun_with)
        analysis.run(stopped, progress)
        kept = analysis.result()
        if stopped():
            _write(ws, begun, item, analysis.arrays())
        else:
            found = {"times": kept.times, "features": kept.features, "shots": kept.shots}
            seen = {"strip": analysis.strip_bytes(), "strip_times": np.array(analysis.strip.times_s)}
            _write(ws, path, item, found | seen | {"damaged": analysis.damaged()})
            begun.unlink(missing_ok=True)
    return kept


def _write(ws: Workspace, path: Path, item: Item, arrays: dict[str, np.ndarray]) -> None:
    out = io.BytesIO()
    np.savez(out, **cast(Any, arrays))
    ws.made.write(path, item.id, out.getvalue(), f"What was seen in {item.name}")


def kept_features(ws: Workspace, tower_id: str, item_id: str) -> FrameFeatures | None:
    """The frame features that are on disk."""
    found = read_arrays(_path(ws, tower_id, item_id), FEATURES)
    return FrameFeatures(*(found[name] for name in FEATURES)) if len(found) == len(FEATURES) else None


@dataclass(frozen=True)
class SeenVideo:
    """What is told of a video while it is polled for: small, and read without the features."""

    shots: list[list[float]]  # start and end in seconds
    strip_s: list[float]  # the time of each cell of the sprite strip
    damaged: list[list[float]]  # start and end of the stretches that could not be read whole


def kept_seen(ws: Workspace, tower_id: str, item_id: str) -> SeenVideo:
    """What is on disk of a video; all empty where it was not looked through."""
    found = read_arrays(_path(ws, tower_id, item_id), SEEN)
    return SeenVideo(*(found[name].tolist() if name in found else [] for name in SEEN))


def kept_strip(ws: Workspace, tower_id: str, item_id: str) -> bytes:
    """The sprite strip of a video as WebP; empty where there is none."""
    found = read_arrays(_path(ws, tower_id, item_id), ("strip",))
    return found["strip"].tobytes() if "strip" in found else b""


def is_kept(ws: Workspace, tower_id: str, item_id: str) -> bool:
    """Whether a video's frame features are on disk."""
    path = _path(ws, tower_id, item_id)
    return path.exists() and zipfile.is_zipfile(path)


def span_frames(
    ws: Workspace, tower_id: str, spans: Sequence[tuple[str, float | None, float | None]]
) -> Sequences:
    """The features of the frames of spans, as they are trained on; see `span_clips`."""
    return sequences(span_clips(ws, tower_id, spans))


def span_clips(
    ws: Workspace, tower_id: str, spans: Sequence[tuple[str, float | None, float | None]]
) -> list[FrameFeatures]:
    """All frames of spans (item, start and end in seconds; None: open), each span by itself.

    Raises:
        DataError: a video was not looked through.
    """
    kept = {item: kept_features(ws, tower_id, item) for item in dict.fromkeys(item for item, _, _ in spans)}
    lost = [item for item, found in kept.items() if found is None]
    if lost:
        raise DataError(f"The frames of {short_id(lost[0])} are not at hand.", "Start the run again.")
    return [
        found if start is None and end is None else found.cut(start, end)
        for item, start, end in spans
        if (found := kept[item])
    ]


def frame_count(item: Item) -> int:
    """About how many frames of a video are looked at."""
    return int(min((item.duration_s or 0.0) / EVERY_S, MOST_FRAMES)) + 1


def _path(ws: Workspace, tower_id: str, item_id: str) -> Path:
    return ws.made.path(f"frames/{tower_id}", item_id, ".npz")


class VideoAnalysis:
    """One walk through a video, which can be stopped, kept and gone on with.

    Args:
        tower: what encodes the frames.
        source: the file.
        budget: what its decoder is held in.
        patient: whether nobody waits for it.

    Raises:
        MediaError: not a video.
        BusyError: too many are read just now.
    """

    def __init__(
        self,
        tower: VideoTower,
        source: bytes | Path,
        budget: DecodeBudget = WHOLE_VIDEOS,
        patient: bool = False,
    ) -> None:
        self._tower = tower
        self._source = source
        self._budget, self._patient = budget, patient
        self._allowance = Allowance(BEHIND_PX if patient else WHILE_AWAITED_PX)
        self.duration_s = probe_video(source, patient=patient).duration_s
        self._times: list[float] = []  # of every frame
        self._signs: list[tuple[float, float, float]] = []
        self._chosen: list[float] = []  # of the frames that are encoded
        self._parts: list[np.ndarray] = []
        self._damaged: list[float] = []  # the times of frames that are not whole
        self._every_s = max(EVERY_S, self.duration_s / MOST_FRAMES)
        self.strip = StripMaker(int(self.duration_s / self._every_s) + 1)

    def run(
        self,
        stopped: Callable[[], bool] = lambda: False,
        progress: Callable[[float], None] = lambda seconds: None,
        end_s: float | None = None,
    ) -> None:
        """Decode once, encode as it comes; where the file is damaged, what can be read is used."""
        wanted = np.arange(0, self.duration_s + self._every_s, self._every_s)
        start_s = self._times[-1] + 1e-3 if self._times else 0.0
        wanted = wanted[wanted > self._chosen[-1]] if self._chosen else wanted

        def pictures() -> Iterator[Decoded]:
            ask, px = cast(Sequence[float], wanted), self._tower.frames.input_px
            walk = (self._source, ask, px, start_s, end_s, self._budget, self._patient)
            for frame in decode_video(*walk, self._allowance):
                self._times.append(frame.time_s)
                self._signs.append(frame.signs.row())
                if frame.damaged:
                    self._damaged.append(frame.time_s)
                if frame.image is not None:
                    self.strip.add(frame.time_s, frame.image)
                    yield frame
                if stopped():
                    return

        encoded = encode_stream(self._tower.frames, lambda f: f.image, pictures(), AT_ONCE)
        for frames, features in encoded:
            self._chosen += [f.time_s for f in frames]
            self._parts.append(features.astype(np.float16))
            progress(self._chosen[-1])

    @property
    def _chosen_none(self) -> bool:
        """Whether pictures were decoded, and none was kept."""
        return bool(self.strip.times_s) and not self._parts

    def result(self) -> FrameFeatures:
        """What was found so far.

        Raises:
            MediaError: no picture could be decoded.
        """
        if self._chosen_none:
            raise MediaError(
                f"What {self._tower.id} makes of this video's frames are no numbers.",
                "Choose another model, or another video where it is this one alone.",
            )
        if not self._parts:
            raise MediaError("No picture of this video can be decoded.", "Choose another video.")
        end_s = max(self.duration_s, self._times[-1])
        shots = find_shots(np.array(self._times), np.array(self._signs), end_s)
        features = np.concatenate(self._parts)
        return FrameFeatures(np.array(self._chosen, np.float32), features, shots.astype(np.float32))

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything that going on needs."""
        last = self._chosen[-1] if self._chosen else -1.0
        return {
            "times": np.array(self._times),
            "signs": np.array(self._signs),
            "chosen": np.array(self._chosen),
            "damaged": np.array(self._damaged),
            "strip": self.strip_bytes(),
            "strip_times": np.array([t for t in self.strip.times_s if t <= last]),
            "features": np.concatenate(self._parts) if self._parts else np.zeros((0, 0), np.float16),
        }

    def damaged(self) -> np.ndarray:
        """(K, 2) start and end of the stretches that could not be read whole, in seconds."""
        if not self._damaged:
            return np.zeros((0, 2))
        times = np.array(self._times)
        steps = np.diff(times, prepend=times[0])
        hole = max(LEAST_HOLE_S, HOLE * float(np.median(steps)))
        broken = np.isin(times, self._damaged) | (steps > hole)  # what was lost leaves a hole
        spans: list[list[float]] = []
        for i in np.flatnonzero(broken).tolist():
            before = float(times[max(0, i - 1)])
            if spans and before - spans[-1][1] <= JOINED_S:
                spans[-1][1] = float(times[i])
            else:
                spans.append([before, float(times[i])])
        return np.array(spans)

    def strip_bytes(self) -> np.ndarray:
        """The strip's WebP as (B,) uint8."""
        return np.frombuffer(self.strip.webp(), np.uint8)

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Go on from what `arrays` gave."""
        self._times = arrays["times"].tolist()
        self._signs = [(c, e, m) for c, e, m in arrays["signs"].tolist()]
        self._chosen = arrays["chosen"].tolist()
        self._damaged = arrays["damaged"].tolist()
        self._parts = [arrays["features"]] if len(self._chosen) else []
        times = arrays["strip_times"].tolist()
        self.strip.restore(len(self._chosen), times, arrays["strip"].tobytes())


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
    analysis = VideoAnalysis(tower, source, VIDEOS)  # a few seconds: it waits for none that is looked through
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
    require_finite(features, f"What {tower.id} makes of a frame of this video", CURE_OF_MODEL)
    times = np.array([f.time_s for f in found], np.float32)
    ends = np.append(times[1:], max(facts.duration_s, float(times[-1])))
    return FrameFeatures(times, features, np.column_stack([times, ends]).astype(np.float32))
