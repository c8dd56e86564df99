"""What a model must offer to be used here: towers, encoders that are trained, captioners.

The words are neutral on purpose: media and text. What is loaded how is said in `presets.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from mmdemo.models.device import Compute

ModalityName = str  # the name of one in MODALITIES
Task = str  # that of one of them, or CAPTIONING


class MediaTower(Protocol):
    """A frozen network from one modality to features, from which a head makes vectors."""

    id: str  # names the stored features: change it when they change
    modality: ModalityName
    feature_dim: int  # F
    dim: int  # D; the first D features are the untrained vector, before normalisation

    def encode(self, media: Sequence[Any]) -> np.ndarray:
        """(N, F) float32 features of N decoded media."""
        ...

    def prepare(self, medium: Any) -> Any:
        """Preprocess one sample; may run in a worker thread."""
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
    probability: float  # calibrated: the share of such pairs that match, 0..1, at one right text in five
    zone: str = ""  # fits, can't tell or doesn't fit; empty where it was not measured
    # Why nothing can be told of the text, in a sentence: its probability is the base rate. Empty: it can.
    doubt: str = ""
    about: float | None = None  # of a recording: the probability that it is what somebody speaks about
    about_zone: str = ""  # its word
    note: str = ""  # what the model doesn't read of the text, in a sentence: then it can't tell
    measured: bool = True  # whether it was measured how often such probabilities are right


@dataclass(frozen=True)
class Caption:
    """A proposed text with the probability that it fits; times are None for a still picture."""

    text: str
    score: float  # probability, 0..1
    source: str = ""  # where the words come from: class, kind, thing, labelled, confirmed or written
    start: float | None = None  # seconds
    end: float | None = None  # seconds


class Encoder(Protocol):
    """Two networks with one shared space, which learn from pairs."""

    name: str
    network: Any
    tokenizer: Any
    compute: Compute
    dim: int
    feature_dim: int
    rates: dict[str, float]
    epochs: int

    @property
    def family(self) -> Any:
        """Its modality and prior."""
        ...

    @property
    def input_px(self) -> int:
        """The side of the picture that goes in."""
        ...

    def prepared(self, medium: Any) -> dict[str, Tensor]:
        """What goes in of one medium; each tensor has a first axis of 1."""
        ...

    def media(self, batch: dict[str, Tensor]) -> Tensor:
        """(N, D) vectors, not of unit length; gradients pass."""
        ...

    def features(self, batch: dict[str, Tensor]) -> Tensor:
        """(N, F) features, of which the first D are the unit vector."""
        ...

    def tokens(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """The tokens of texts, on the device."""
        ...

    def texts(self, tokens: dict[str, Tensor]) -> Tensor:
        """(N, D) vectors, not of unit length; gradients pass."""
        ...

    def save(self, folder: Path) -> None:
        """A folder that it can be opened from."""
        ...


class Captioner(Protocol):
    """A network that writes what it sees."""

    name: str
    network: Any  # of transformers
    processor: Any
    compute: Compute
    frames: int  # of a shot, that it is shown

    def caption(self, frames: Sequence[Image.Image]) -> str:
        """What one picture, or the frames of one shot, show."""
        ...
