"""Make the sample videos: drawings with slow zooms, one after the other, some with a voice that names them.

    python assets/build_video.py

It needs flite on the path. Where each drawing is shown stands in video/samples.csv. What is written is in the
repository, so that nobody needs to run it.
"""

from __future__ import annotations

import csv
import hashlib
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))
sys.path.insert(0, str(FOLDER))

RATE_HZ = 25
SIZE_PX = (320, 240)
ZOOM = 1.25  # from the whole drawing to so much larger, or back
BACKGROUND = (250, 250, 250)
SHOTS = 8
SHOT_S = (1.5, 3.0)
TOLD = (0, 5)  # the videos over which a voice speaks


def zoomed(drawing: Image.Image, share: float, size: tuple[int, int], inwards: bool) -> Image.Image:
    """A drawing on a plain ground, at a point of its slow zoom."""
    scale = 1 + (ZOOM - 1) * (share if inwards else 1 - share)
    side = round(0.8 * size[1] * scale)
    frame = Image.new("RGB", size, BACKGROUND)
    frame.paste(
        drawing.resize((side, side), Image.Resampling.BILINEAR),
        ((size[0] - side) // 2, (size[1] - side) // 2),
    )
    return frame


def write_stills(
    path: Path,
    shots: Sequence[tuple[Path, float]],
    size: tuple[int, int] = SIZE_PX,
    sound: np.ndarray | None = None,
    codec: str = "libx264",
) -> list[tuple[float, float]]:
    """Write a video of drawings, each shown for some seconds with a slow zoom; returns the shots' spans.

    Args:
        path: where; the suffix decides the container.
        shots: drawing and seconds of each.
        size: of the frames.
        sound: (N,) float32 at 16 kHz; None: there is no sound.
        codec: of the pictures.
    """
    spans, at = [], 0
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=RATE_HZ, options={"crf": "30", "g": "50"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        voice = out.add_stream("aac", rate=16_000, layout="mono") if sound is not None else None
        for number, (file, seconds) in enumerate(shots):
            count = round(seconds * RATE_HZ)
            spans.append((at / RATE_HZ, (at + count) / RATE_HZ))
            with Image.open(file) as opened:
                drawing = opened.convert("RGB")
            for i in range(count):
                frame = av.VideoFrame.from_image(zoomed(drawing, i / count, size, number % 2 == 0))
                frame.pts, frame.time_base = at + i, Fraction(1, RATE_HZ)
                out.mux(stream.encode(frame))
            at += count
        out.mux(stream.encode(None))
        if voice is not None and sound is not None:
            for begin in range(0, len(sound), 1024):
                part = (sound[begin : begin + 1024] * 32767).astype(np.int16)[None]
                block = av.AudioFrame.from_ndarray(part, format="s16", layout="mono")
                block.sample_rate, block.pts, block.time_base = 16_000, begin, Fraction(1, 16_000)
                out.mux(voice.encode(block))
            out.mux(voice.encode(None))
    return spans


def choose_shots(split: str, videos: int, seed: int) -> Iterator[list[tuple[Path, str, float]]]:
    """For each video SHOTS drawings of a side, with their titles and the seconds that each is shown."""
    with (FOLDER / "clipart" / "metadata.csv").open(encoding="utf-8", newline="") as f:
        rows = [row for row in csv.DictReader(f) if row["split"] == split]
    rng = random.Random(seed)
    chosen = rng.sample(rows, videos * SHOTS)
    for i in range(videos):
        yield [
            (
                FOLDER / "clipart" / row["file_name"],
                row["text"],
                round(rng.uniform(*SHOT_S) * RATE_HZ) / RATE_HZ,
            )
            for row in chosen[i * SHOTS : (i + 1) * SHOTS]
        ]


def told(shots: Sequence[tuple[Path, str, float]]) -> np.ndarray:
    """(N,) a voice that names each drawing while it is shown."""
    from build_speech import speak

    total = round(sum(seconds for _, _, seconds in shots) * 16_000)
    sound, at = np.zeros(total, np.float32), 0.0
    for _, text, seconds in shots:
        said = speak("slt", f"Now you can see {text}.")[: round(seconds * 16_000)]
        begin = round((at + 0.1) * 16_000)
        end = min(total, begin + len(said))
        sound[begin:end] = said[: end - begin]
        at += seconds
    return sound


def main() -> None:
    """Write assets/video."""
    target = FOLDER / "video"
    target.mkdir(exist_ok=True)
    chosen = [("train", shots) for shots in choose_shots("train", 5, 3)]
    chosen += [("validation", shots) for shots in choose_shots("validation", 3, 4)]
    rows = []
    with tempfile.TemporaryDirectory():
        for number, (split, shots) in enumerate(chosen):
            name = f"drawings-{number + 1}.mp4"
            sound = told(shots) if number in TOLD else None
            spans = write_stills(target / name, [(file, s) for file, _, s in shots], sound=sound)
            data = (target / name).read_bytes()
            key = hashlib.sha256(data).hexdigest()
            for (start, end), (_, text, _) in zip(spans, shots, strict=True):
                side = "held-out" if split == "validation" else "train"
                rows.append(
                    (f"video/{name}", text, f"{start:.2f}", f"{end:.2f}", side, key, f"{spans[-1][1]:.2f}")
                )
    with (target / "samples.csv").open("w", newline="", encoding="utf-8") as f:
        out = csv.writer(f)
        out.writerow(("file_name", "text", "start", "end", "split", "sha256", "duration"))
        out.writerows(rows)


if __name__ == "__main__":
    main()
