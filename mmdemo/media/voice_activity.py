"""Whether anybody speaks: Silero's voice activity detection, which faster-whisper carries."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmdemo.heavy_imports import heavy
from mmdemo.media.audio import RATE_HZ

WINDOW_S = 28.0  # a little less than a recogniser hears at once
MARGIN_S = 0.2  # kept around what is spoken


def has_speech(samples: np.ndarray) -> bool:
    """Whether anybody speaks, by Silero's voice activity detection."""
    if len(samples) < RATE_HZ // 20 or float(np.abs(samples).max()) < 1e-3:
        return False
    # Single words are short and soft: a lower bound than for running speech misses fewer of them.
    vad = heavy("faster_whisper.vad")
    options = vad.VadOptions(threshold=0.35, min_silence_duration_ms=200)
    return bool(vad.get_speech_timestamps(samples, options))


def speech_windows(samples: np.ndarray) -> list[tuple[int, int]]:
    """First and one past the last sample of stretches with speech, none longer than a recogniser hears."""
    if not has_speech(samples):
        return []
    vad = heavy("faster_whisper.vad")
    options = vad.VadOptions(threshold=0.35, min_silence_duration_ms=200, max_speech_duration_s=WINDOW_S)
    found: list[dict[str, Any]] = vad.get_speech_timestamps(samples, options)
    out: list[tuple[int, int]] = []
    for one in found:
        start = max(0, int(one["start"]) - round(MARGIN_S * RATE_HZ))
        end = min(len(samples), int(one["end"]) + round(MARGIN_S * RATE_HZ))
        if out and end - out[-1][0] <= WINDOW_S * RATE_HZ:
            out[-1] = (out[-1][0], end)
        else:
            out.append((max(start, out[-1][1] if out else 0), end))
    return out
