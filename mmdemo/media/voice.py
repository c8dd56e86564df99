"""Whether anybody speaks: Silero's voice activity detection, which faster-whisper carries."""

from __future__ import annotations

import numpy as np

from mmdemo.media.audio import RATE_HZ


def has_speech(samples: np.ndarray) -> bool:
    """Whether anybody speaks, by Silero's voice activity detection."""
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    if len(samples) < RATE_HZ // 20 or float(np.abs(samples).max()) < 1e-3:
        return False
    # Single words are short and soft: a lower bound than for running speech misses fewer of them.
    return bool(get_speech_timestamps(samples, VadOptions(threshold=0.35, min_silence_duration_ms=200)))
