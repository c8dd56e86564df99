"""Finding shots beside PySceneDetect: cuts, fades through black, dissolves.

    pip install scenedetect==0.7.2 opencv-python-headless && python benchmarks/shots.py

24 videos of eight drawings each with slow zooms and pans; a third are cut, a third fade through black, a
third dissolve, in half a second to a second. A boundary that is found within 0.3 s of the middle of its
transition is right. PySceneDetect runs its adaptive and its threshold detector together, which is how it
finds cuts and fades. Both decode the same files; the time is of decoding and detecting, without a network.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from common import ROOT
from PIL import Image

sys.path.insert(0, str(ROOT / "assets"))

from build_video import RATE_HZ, SIZE_PX, choose_shots, zoomed

from mmdemo.media.shots import find_shots
from mmdemo.media.video import decode_video, probe_video

KINDS = ("cut", "fade", "dissolve")
VIDEOS = 8  # of each kind
TOLERANCE_S = 0.3


def write(path: Path, drawings: Sequence[tuple[Path, float]], kind: str, rng: random.Random) -> list[float]:
    """Write a video; returns the middle of each transition in seconds."""
    shots = []
    for number, (file, seconds) in enumerate(drawings):
        with Image.open(file) as opened:
            drawing = opened.convert("RGB")
        count = round(seconds * RATE_HZ)
        frames = [np.asarray(zoomed(drawing, i / count, SIZE_PX, number % 2 == 0)) for i in range(count)]
        if number % 3 == 2:  # a pan
            frames = [np.roll(f, round(60 * i / count) - 30, axis=1) for i, f in enumerate(frames)]
        shots.append([f.astype(np.float32) for f in frames])
    line, middles = shots[0], []
    for shot in shots[1:]:
        length = round(rng.uniform(0.5, 1.0) * RATE_HZ)
        if kind == "cut":
            middles.append(len(line) / RATE_HZ)
            line = line + shot
        elif kind == "dissolve":
            middles.append((len(line) - length / 2) / RATE_HZ)
            shares = np.linspace(0, 1, length)
            mixed = [
                (1 - a) * x + a * y for a, x, y in zip(shares, line[-length:], shot[:length], strict=True)
            ]
            line = line[:-length] + mixed + shot[length:]
        else:
            half = length // 2
            out = [f * (1 - i / half) for i, f in enumerate(line[-half:])]
            into = [f * (i / half) for i, f in enumerate(shot[:half])]
            dark = [np.zeros_like(line[0])] * 3
            line = line[:-half] + out + dark + into + shot[half:]
            middles.append((len(line) - len(shot) - 1.5) / RATE_HZ)
    with av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", rate=RATE_HZ, options={"crf": "28"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = *SIZE_PX, "yuv420p"
        for i, pixels in enumerate(line):
            frame = av.VideoFrame.from_ndarray(pixels.clip(0, 255).astype(np.uint8), format="rgb24")
            frame.pts, frame.time_base = i, Fraction(1, RATE_HZ)
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return middles


def ours(path: Path) -> list[float]:
    """Where shots begin, by mmdemo."""
    frames = list(decode_video(path, []))
    signs = np.array([f.signs.row() for f in frames])
    return [
        float(s)
        for s in find_shots(np.array([f.time_s for f in frames]), signs, probe_video(path).duration_s)[1:, 0]
    ]


def theirs(path: Path) -> list[float]:
    """Where shots begin, by PySceneDetect."""
    from scenedetect import AdaptiveDetector, SceneManager, ThresholdDetector, open_video

    manager = SceneManager()
    manager.add_detector(AdaptiveDetector())
    manager.add_detector(ThresholdDetector())
    manager.detect_scenes(open_video(str(path)))
    return [start.seconds for start, _ in manager.get_scene_list()][1:]


def right(found: Sequence[float], known: Sequence[float]) -> int:
    """How many known boundaries are found, each by one."""
    left, hits = list(found), 0
    for middle in known:
        near = [t for t in left if abs(t - middle) <= TOLERANCE_S]
        if near:
            left.remove(min(near, key=lambda t: abs(t - middle)))
            hits += 1
    return hits


def main() -> None:
    """Print precision, recall and F1 of both by kind, and the ratio of their times."""
    rng = random.Random(6)
    chosen = list(choose_shots("train", VIDEOS * len(KINDS), 6))
    spent = {"mmdemo": 0.0, "PySceneDetect": 0.0}
    finders: dict[str, Callable[[Path], list[float]]] = {"mmdemo": ours, "PySceneDetect": theirs}
    with tempfile.TemporaryDirectory() as name:
        for kind in KINDS:
            videos = []
            for number in range(VIDEOS):
                path = Path(name) / f"{kind}-{number}.mp4"
                videos.append((path, write(path, [(f, s) for f, _, s in chosen.pop()], kind, rng)))
            for finder, find in finders.items():
                hits = total = known = 0
                for path, middles in videos:
                    begun = time.perf_counter()
                    found = find(path)
                    spent[finder] += time.perf_counter() - begun
                    hits, total, known = (
                        hits + right(found, middles),
                        total + len(found),
                        known + len(middles),
                    )
                precision, recall = hits / max(1, total), hits / known
                f1 = 2 * precision * recall / max(1e-9, precision + recall)
                print(f"{kind:9} {finder:14} precision {precision:.3f} recall {recall:.3f} F1 {f1:.3f}")
    print(f"time: mmdemo {spent['mmdemo']:.1f} s, PySceneDetect {spent['PySceneDetect']:.1f} s")


if __name__ == "__main__":
    main()
