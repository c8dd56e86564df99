"""What is said while it is being said."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmdemo.demo import Demo
from mmdemo.hearing import SPEECH


def live_words(demo: Demo, data: bytes) -> dict[str, Any]:
    """What is said in 16-bit samples at 16 kHz; times are seconds in them."""
    from mmdemo.models.speech.aligner import recogniser_of

    if len(data) < 3200 or len(data) % 2:
        return {"words": []}
    samples = np.frombuffer(data, dtype="<i2").astype(np.float32) / 32768.0
    recogniser = recogniser_of(demo.models.aligner(SPEECH).towers.media)
    found = next(iter(recogniser.transcribe([samples])), ([], 0.0))[0]
    return {"words": [vars(w) for segment in found for w in segment.words]}
