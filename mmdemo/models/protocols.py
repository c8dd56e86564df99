"""What a model must offer to be used here: towers, aligners, captioners.

A new modality attaches at three places: a tower that turns its media into features, a head that carries the
features into the shared space, and a row in `presets.py`. The words are neutral on purpose: media and text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

Modality = Literal["image", "audio", "video"]
Task = Literal["image-text", "speech-text", "video-text", "captioning"]
DEFAULT_TASK: Task = "image-text"
CAPTIONING: Task = "captioning"  # has versions and runs, and learns from the labels of pictures
TASKS: dict[str, Modality] = {  # one row a task
    "image-text": "image",
    "speech-text": "audio",
    "video-text": "video",
}


class MediaTower(Protocol):
    """A frozen network from one modality to features, from which a head makes vectors."""

    id: str  # names the stored features: change it when they change
    modality: Modality
    feature_dim: int  # F
    dim: int  # D; the first D features are the untrained vector, before normalisation

    def encode(self, media: Sequence[Any]) -> np.ndarray:
        """(N, F) float32 features of N decoded media."""
        ...

    def prepare(self, medium: Any) -> Any:
        """What may be done to one medium on another thread while the network is busy."""
        ...


class TextTower(Protocol):
    """A frozen network from texts to unit vectors."""

    id: str
    dim: int  # D

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """(N, D) float32, unit length."""
        ...


@dataclass(frozen=True)
class Score:
    """How well one text fits one medium."""

    text: str
    similarity: float  # cosine in the shared space, -1..1
    probability: float  # calibrated: the share of such pairs that match, 0..1


@dataclass(frozen=True)
class Caption:
    """A proposed text with the probability that it fits; times are None for a still picture."""

    text: str
    score: float  # probability, 0..1
    source: str = ""  # where the words come from: class, labelled or combined
    start: float | None = None  # seconds
    end: float | None = None  # seconds


class Aligner(Protocol):
    """A media tower and a text tower with one shared space, and a calibrated score."""

    version: str
    task: Task
    dim: int  # D

    def project_media(self, features: np.ndarray) -> np.ndarray:
        """(N, D) unit vectors from (N, F) features."""
        ...

    def encode_media(self, media: Sequence[Any]) -> np.ndarray:
        """(N, D) unit vectors."""
        ...

    def encode_text(self, texts: Sequence[str]) -> np.ndarray:
        """(N, D) unit vectors."""
        ...

    def align(self, medium: Any, texts: Sequence[str]) -> list[Score]:
        """The score of each text, in the order given."""
        ...
