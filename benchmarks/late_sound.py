"""Sound that begins later than the pictures: how far are words and moments from those of the sound in place?

    python benchmarks/late_sound.py [--sentences 6]

Sentences that ship are put into videos, beginning late by an edit list (mp4), by the clock of the file
(Matroska, WebM, MPEG-TS) or after a jump of it; beside each a video of the same format in which silence comes
first. A lossy format codes the two otherwise, which moves a border of a word here and there.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import common  # noqa: F401  puts the project on the path
import numpy as np
from scipy.signal import resample_poly

from mmdemo.data.samples import SPEECH
from mmdemo.media.audio import RATE_HZ, decode_audio
from mmdemo.service.app import App
from mmdemo.settings import load_settings
from tests.media.test_clock import Heard, write_spoken

HZ = 48_000
LATE_S = (0.7, 1.5, 4.25)
SUFFIXES = (".mp4", ".mkv", ".webm", ".ts")
Words = list[tuple[str, float, float]]


def heard(app: App, path: Path, sound: Heard, length_s: float) -> tuple[Words, tuple[float, float]]:
    """The words of a video with that sound and when they are said, and where its third to fifth are found."""
    item = app.ws.add_media("video", write_spoken(path, sound, length_s=length_s), path.name, source="test")
    app.speech.transcribe(item)
    words = [(w["word"].strip(), w["start"], w["end"]) for w in app.speech.transcript(item)["words"]]
    query = " ".join(word for word, _, _ in words[2:5])
    said = [m for m in app.video.moments(item, query)["moments"] if m["found_by"] == "words"]
    return words, (said[0]["start"], said[0]["end"])


def measured(app: App, folder: Path, sentences: int) -> str:
    """What came of all, a line."""
    of_words, of_moments, others = list[float](), list[float](), 0
    for number in range(1, sentences + 1):
        spoken = decode_audio(next((SPEECH / "samples").glob(f"sentence-{number:02d}-*.ogg")))
        samples = resample_poly(spoken, HZ // RATE_HZ, 1).astype(np.float32)
        for late_s in LATE_S:
            silence = np.zeros(round(late_s * HZ), np.float32)
            tracks: dict[str, Heard] = {
                "place": [(0.0, np.concatenate([silence, samples]))],
                "late": [(late_s, samples)],
                "jump": [(0.0, silence[: HZ // 10]), (late_s, samples)],
            }
            for suffix in SUFFIXES:
                length_s = late_s + len(samples) / HZ + 1.5
                found = {
                    name: heard(app, folder / f"{name}-{number}-{late_s}{suffix}", sound, length_s)
                    for name, sound in tracks.items()
                }
                words, moment = found.pop("place")
                for name, (other, elsewhere) in found.items():
                    if [w for w, _, _ in other] != [w for w, _, _ in words]:
                        others += 1
                        continue
                    away = np.abs(np.array([w[1:] for w in other]) - np.array([w[1:] for w in words]))
                    of_words += away.ravel().tolist()
                    of_moments += [abs(a - b) for a, b in zip(elsewhere, moment, strict=True)]
                    if away.max() > 0.05:
                        print(
                            f"{name} {number} {late_s} s {suffix}: a border {away.max():.2f} s away",
                            flush=True,
                        )
    told = [f"{others} videos of which other words are heard"]
    for what, away_s in (("words", np.array(of_words)), ("moments", np.array(of_moments))):
        near = np.mean(away_s <= 0.0501)
        told.append(
            f"{len(away_s)} borders of {what}: {near:.2%} within 0.05 s, at most {away_s.max():.2f} s"
        )
    return "; ".join(told)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sentences", type=int, default=6)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        app = App(load_settings({}, workspace=Path(folder) / "w", samples=False, device="cpu"))
        print(measured(app, Path(folder), options.sentences))
        app.close()


if __name__ == "__main__":
    main()
