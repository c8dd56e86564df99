"""The time of a transcript, beside bare faster-whisper with the same settings.

    python benchmarks/transcription_time.py

The 36 spoken samples, one after the other with pauses, four times over: about nine minutes of speech in one
file. Both decode the file, detect speech and give every word its times; the turns alternate.
"""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from common import ROOT  # noqa: F401  sets the path to mmdemo
from faster_whisper import decode_audio as bare_decode

from assets.sounds import wav_bytes
from mmdemo.data.samples import SPEECH
from mmdemo.media.audio import RATE_HZ, audio_blocks, decode_audio
from mmdemo.models.speech.whisper_ctranslate2 import Recogniser, bundled_model

TIMES = 4
TURNS = 3


def main() -> None:
    """Print seconds both ways, the ratio, and the peak of memory."""
    recogniser = Recogniser(bundled_model())
    pause = np.zeros(RATE_HZ // 2, np.float32)
    parts = [p for f in sorted((SPEECH / "samples").glob("*.ogg")) for p in (decode_audio(f), pause)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.wav"
        path.write_bytes(wav_bytes(np.concatenate(parts * TIMES)))
        seconds = TIMES * sum(map(len, parts)) / RATE_HZ
        ours, bare = [], []
        for turn in range(TURNS + 1):
            begun = time.perf_counter()
            first = None
            for _ in recogniser.transcribe(audio_blocks(path)):
                first = first or time.perf_counter() - begun
            mine = time.perf_counter() - begun
            begun = time.perf_counter()
            found, _ = recogniser.whisper.transcribe(
                bare_decode(str(path)),
                language="en",
                vad_filter=True,
                word_timestamps=True,
                condition_on_previous_text=False,
            )
            list(found)
            if turn:
                ours.append(mine)
                bare.append(time.perf_counter() - begun)
    ratio = np.median(np.array(ours) / np.array(bare))
    print(
        f"{seconds:.0f} s of speech: mmdemo {np.median(ours):.1f} s, faster-whisper {np.median(bare):.1f} s"
    )
    print(f"ratio {ratio:.2f}; first words after {first:.1f} s")
    print(f"peak memory of the process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


if __name__ == "__main__":
    main()
