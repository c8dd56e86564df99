"""The spoken words and names of assets/speech, and sound written as a file: for the scripts here, for the
benchmarks and for the tests.
"""

from __future__ import annotations

import csv
import io
import wave
from collections.abc import Iterator, Sequence

import numpy as np

from mmdemo.data.samples import SPEECH
from mmdemo.media.audio import decode_audio
from mmdemo.media.rate import RATE_HZ


def spoken_set(name: str, voices: Sequence[str] = ()) -> Iterator[tuple[dict[str, str], np.ndarray]]:
    """A set of spoken texts in assets/speech that are joined to one file a voice: words or names.

    Args:
        name: of the set.
        voices: only these, so that no file of another is decoded; empty: all.

    Yields:
        The row of NAME.csv (file_name, text, start, end, split, voice), and its (N,) float32 samples at
        16 kHz with a twentieth of a second around them.
    """
    files: dict[str, np.ndarray] = {}
    with (SPEECH / f"{name}.csv").open(encoding="utf-8", newline="") as f:
        for row in csv.DictReader(f):
            if voices and row["voice"] not in voices:
                continue
            if row["file_name"] not in files:
                files[row["file_name"]] = decode_audio(SPEECH / row["file_name"])
            start, end = (round(float(row[at]) * RATE_HZ) for at in ("start", "end"))
            around = RATE_HZ // 20
            yield row, files[row["file_name"]][max(0, start - around) : end + around]


def wav_bytes(samples: np.ndarray) -> bytes:
    """A 16-bit WAV file of (N,) float32 samples at 16 kHz."""
    out = io.BytesIO()
    with wave.open(out, "wb") as f:
        f.setnchannels(1)
        f.setsampwidth(2)
        f.setframerate(RATE_HZ)
        f.writeframes((samples.clip(-1, 1) * 32767).astype("<i2").tobytes())
    return out.getvalue()
