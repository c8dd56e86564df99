"""A model is tried once before it is taken: one sample and some texts through it.

A checkpoint may load and still fail at every answer: its processor makes pictures of another size, its
tokeniser knows more words than its network, its weights hold what is no number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from mmdemo.errors import MmdemoError, UserError
from mmdemo.media.audio import RATE_HZ
from mmdemo.modality import modality_of
from mmdemo.models.aligner import Towers
from mmdemo.models.presets import Preset
from mmdemo.models.protocols import Captioner
from mmdemo.models.video.aligner import FrameFeatures

TEXTS = ("a cat", "Two small boats on a lake, and a longer text 123!")
CURE = "Choose a checkpoint whose weights, processor and tokeniser belong together."


def noise_picture() -> Image.Image:
    """A picture of noise that is no square."""
    values = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    return Image.fromarray(values)


def noise_sound() -> np.ndarray:
    """A second of noise, (16000,) float32."""
    return np.random.default_rng(0).normal(0, 0.1, RATE_HZ).astype(np.float32)


def noise_video(tower: Any) -> FrameFeatures:
    """What the tower of a video makes of two frames of noise, a second apart."""
    features = np.asarray(tower.frames.encode([noise_picture(), noise_picture()]), np.float16)
    return FrameFeatures(np.array([0.0, 1.0], np.float32), features, np.array([[0.0, 2.0]], np.float32))


def try_towers(preset: Preset, towers: Towers) -> None:
    """Put a sample of its modality, and two texts, through both towers.

    Raises:
        UserError: what fails, or makes what is no vector.
    """
    modality = modality_of(preset.task)
    if modality.sample is not None:
        make, noun = modality.sample, f"a {modality.noun}"
        sample = _tried(preset, noun, lambda: make(towers.media))  # a video's goes through the tower here
        found = _tried(preset, noun, lambda: towers.media.encode([sample]))
        _require_vectors(preset, noun, found, (1, towers.media.feature_dim))
        more = getattr(towers.media, "try_out", None)  # of towers that answer more than with vectors
        if more is not None:
            _tried(preset, noun, lambda: more(sample))
    texts = _tried(preset, "a text", lambda: towers.text.encode(list(TEXTS)))
    _require_vectors(preset, "a text", texts, (len(TEXTS), towers.media.dim))


def try_captioner(preset: Preset, captioner: Captioner) -> None:
    """Have it write about a picture of noise; what it writes does not matter.

    Raises:
        UserError: why it cannot.
    """
    _tried(preset, "a picture", lambda: captioner.caption([noise_picture()]))


def _tried(preset: Preset, noun: str, what: Callable[[], Any]) -> Any:
    try:
        return what()
    except MmdemoError:
        raise
    except Exception as e:  # of whatever library, about whatever does not fit
        why = (str(e).strip().splitlines() or [type(e).__name__])[0].rstrip(".")
        raise UserError(f"The model {preset.id} fails at {noun}: {why}.", CURE) from e


def _require_vectors(preset: Preset, noun: str, found: Any, shape: tuple[int, int]) -> None:
    if np.shape(found) != shape:
        raise UserError(
            f"The model {preset.id} makes {_words(np.shape(found))} numbers of {noun}, not {_words(shape)}.",
            CURE,
        )
    if not np.isfinite(found).all():
        raise UserError(f"The model {preset.id} makes of {noun} what is no number.", CURE)


def _words(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
