"""The video aligner: the image aligner's frame vectors, pooled over time.

A video's own vector is the mean over its frames. What is asked of it with a text looks at the frames: the
score is that of the best moment, and the moment says where.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy.special import expit

from mmdemo.finite import CURE_OF_MODEL, require_finite
from mmdemo.models.aligner import HeadAligner
from mmdemo.models.calibration import BASE, SIMILARITY
from mmdemo.models.encoders.video_clips import over_frames
from mmdemo.models.heads.residual import Projection, Sequences
from mmdemo.models.judge import Judge
from mmdemo.models.presets import Preset
from mmdemo.models.protocols import Encoder, MediaTower, ModalityName, Score
from mmdemo.models.video.moments import Moment, find_moments, moments_of, shot_rows, similarity_curve


@dataclass(frozen=True)
class FrameFeatures:
    """What the picture tower makes of a video's frames."""

    times: np.ndarray  # (N,) float32 presentation times in seconds, rising
    features: np.ndarray  # (N, F) float16
    shots: np.ndarray  # (S, 2) float32 start and end in seconds; they touch

    def cut(self, start_s: float | None, end_s: float | None) -> FrameFeatures:
        """A span by itself, as one shot."""
        rows = self.rows(start_s, end_s)
        times = self.times[rows]
        end = self.shots[-1, 1] if end_s is None else end_s
        shot = np.array([[times[0] if start_s is None else start_s, end]], np.float32)
        return FrameFeatures(times, self.features[rows], shot)

    def rows(self, start_s: float | None, end_s: float | None) -> np.ndarray:
        """(M,) rows of the frames of a span; of the frame that is shown where none falls in it."""
        low = -np.inf if start_s is None else start_s - 1e-4
        high = np.inf if end_s is None else end_s
        rows = np.flatnonzero((self.times >= low) & (self.times < high))
        if not len(rows):
            rows = np.array([max(0, int(np.searchsorted(self.times, low, side="right")) - 1)])
        return rows

    def within(self, start_s: float | None, end_s: float | None) -> np.ndarray:
        """(F,) float32 mean over the frames of a span."""
        return self.features[self.rows(start_s, end_s)].astype(np.float32).mean(0)


MOST_OF_SPAN = 32  # frames that a span is trained and compared by, spread evenly


def sequences(spans: Sequence[FrameFeatures]) -> Sequences:
    """The frames of spans, at most `MOST_OF_SPAN` of each."""
    parts = []
    for span in spans:
        count = len(span.times)
        step = np.linspace(0, count - 1, min(count, MOST_OF_SPAN)).round().astype(int)
        parts.append(span.features[step])
    rows = np.concatenate(parts) if parts else np.zeros((0, 0), np.float16)
    return Sequences(rows, np.cumsum([0, *map(len, parts)]))


def clip_vectors(projection: Projection, clip: FrameFeatures) -> np.ndarray:
    """(N, D) unit vectors of the frames of a video or a span of one."""
    return projection.frames(clip.features, shot_rows(clip.times, clip.shots))


class VideoTower:
    """Videos to (N, F) features: the mean over the frames of the picture tower's."""

    modality: ModalityName = "video"

    def __init__(self, preset: Preset, frames: FrameTower) -> None:
        self.id = preset.media_features
        self.dim = preset.dim
        self.feature_dim = preset.feature_dim
        self.frames = frames

    @property
    def learner(self) -> Encoder:
        """The encoder of its frames as it is trained: of several at once, with texts."""
        frames: Any = self.frames  # of a loader whose networks learn
        return over_frames(frames.encoder)

    def prepare(self, medium: FrameFeatures) -> FrameFeatures:
        """Frame features pass through; what makes them streams the file (retrieval/video/frames.py)."""
        return medium

    def encode(self, media: Sequence[FrameFeatures]) -> np.ndarray:
        """(N, F) float32 features."""
        return np.stack([m.within(None, None) for m in media])


class VideoAligner(HeadAligner):
    """A video aligner, whose score of a pair is that of the best moment."""

    def frame_vectors(self, medium: FrameFeatures) -> np.ndarray:
        """(N, D) unit vectors of a video's frames."""
        return clip_vectors(self._projection, medium)

    def encode_media(self, media: Sequence[FrameFeatures]) -> np.ndarray:
        """(N, D) unit vectors of N videos or spans."""
        spans = sequences(media)
        require_finite(spans.rows, f"What {self.towers.media.id} makes of this video", CURE_OF_MODEL)
        return self._projection.spans(spans)

    def curve(self, medium: FrameFeatures, text: str) -> np.ndarray:
        """(N,) how well each frame fits a text, smoothed within its shot."""
        scores = self.frame_vectors(medium) @ self.encode_text([text])[0]
        return similarity_curve(medium.times, scores, medium.shots)

    def moments(self, medium: FrameFeatures, text: str, count: int = 5) -> list[Moment]:
        """The moments that a text describes, best first."""
        return find_moments(medium.times, self.curve(medium, text), medium.shots, count)

    def align(self, medium: FrameFeatures, texts: Sequence[str]) -> list[Score]:
        """How well each text fits the moment that it fits best."""
        if not texts:
            return []
        vectors = self.text_vectors(texts)
        evidence = moment_evidence(self.judge, self._projection, medium, vectors)
        return self.scored(texts, evidence[SIMILARITY], expit(self._odds(evidence, medium, vectors)))

    def probability_of(
        self, medium: FrameFeatures, texts: Sequence[str], similarity: np.ndarray
    ) -> np.ndarray:
        """(T,) probability that each text fits some moment, given how well it fits the best: (T,)."""
        vectors = self.text_vectors(texts)
        evidence = moment_evidence(self.judge, self._projection, medium, vectors, similarity)
        return np.asarray(expit(self._odds(evidence, medium, vectors)))

    def _odds(
        self, evidence: dict[str, np.ndarray], medium: FrameFeatures, vectors: np.ndarray
    ) -> np.ndarray:
        """(T,) log-odds, with the base version's where the fit asks for them."""
        base = self.judge.base
        if base is not None:
            before = moment_evidence(base, Projection(self.dim, None), medium, vectors)
            evidence = evidence | {BASE: base.fit.log_odds(before)}
        return self.judge.fit.log_odds(evidence)

    def place(self, medium: FrameFeatures, text: str) -> tuple[float, float] | None:
        """The start and end of the best moment, in seconds."""
        best = self.moments(medium, text, 1)
        return (round(best[0].start, 3), round(best[0].end, 3)) if best else None


def moment_evidence(
    judge: Judge,
    space: Projection,
    medium: FrameFeatures,
    texts: np.ndarray,
    similarity: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """What is known of a video with T texts, each at the moment that it fits best: (T,) of each name.

    Args:
        judge: of a version.
        space: that version's.
        medium: the video.
        texts: (T, D) of the text tower.
        similarity: (T,) that of the text's best moment, or of another one that is meant.
    """
    frames = space.frames(medium.features, shot_rows(medium.times, medium.shots))  # (N, D)
    curves = frames @ space.text(texts).T  # (N, T)
    reaches = judge.reaches_anywhere(frames)
    rows = []
    for i in range(len(texts)):
        best = moments_of(medium.times, curves[:, i], medium.shots)[0]
        features = medium.within(best.start, best.end)[None]
        score = best.score if similarity is None else float(similarity[i])
        rows.append(judge.evidence(features, texts[i : i + 1], np.array([[score]]), reaches))
    return {name: np.array([row[name][0, 0] for row in rows]) for name in rows[0]}


class FrameTower(MediaTower, Protocol):
    """What makes features of a video's frames, given in their order."""

    input_px: int  # the side of the picture that goes in
