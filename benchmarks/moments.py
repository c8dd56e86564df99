"""Finding moments in videos of drawings, before and after fine-tuning, and how quickly videos are indexed.

    python benchmarks/moments.py

12 videos are made of 96 drawings of the validation side, eight shots of 1.5 to 3 s with slow zooms; the title
of each drawing is looked for in its own video. The ceiling of a method that was not trained is the share of
drawings that rank first for their title among the eight stills of their video. The head is then trained on
25 other videos, of the train side. Indexing is compared with decoding every frame to a picture and encoding
two a second one by one.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from common import ROOT

sys.path.insert(0, str(ROOT / "assets"))

from build_video import choose_shots, write_stills

from mmdemo.evaluation.comparison import paired_bootstrap
from mmdemo.evaluation.localisation import Localisation, overlap
from mmdemo.evaluation.pair_arrays import PairArrays
from mmdemo.media.image import decode_image
from mmdemo.media.video import decode_video
from mmdemo.models.device import decide_compute
from mmdemo.models.find_model import find_preset
from mmdemo.models.load import load_towers
from mmdemo.models.video.aligner import FrameFeatures, VideoAligner, VideoTower, sequences
from mmdemo.retrieval.video.frames import analyse_video
from mmdemo.settings import load_settings
from mmdemo.training.config import TrainSettings
from mmdemo.training.trainables.head import train_head

SEED = 11
MEASURED, TRAINED = 12, 25  # videos


@dataclass(frozen=True)
class Made:
    """A video, its titles and spans, and what the tower makes of it."""

    path: Path
    drawings: list[Path]
    texts: list[str]
    spans: list[tuple[float, float]]
    frames: FrameFeatures


def make(folder: Path, split: str, count: int, tower: VideoTower) -> list[Made]:
    """Write videos and look through them."""
    out = []
    for number, shots in enumerate(choose_shots(split, count, SEED)):
        path = folder / f"{split}-{number}.mp4"
        spans = write_stills(path, [(file, seconds) for file, _, seconds in shots])
        frames = analyse_video(tower, path)
        out.append(Made(path, [f for f, _, _ in shots], [t for _, t, _ in shots], spans, frames))
    return out


def measure(aligner: VideoAligner, videos: list[Made]) -> np.ndarray:
    """(Q,) IoU of the first moment with the drawing's own span."""
    found = []
    for video in videos:
        for text, span in zip(video.texts, video.spans, strict=True):
            best = aligner.moments(video.frames, text, 1)[0]
            found.append(overlap((best.start, best.end), span))
    return np.array(found)


def told(name: str, before: np.ndarray, after: np.ndarray) -> None:
    """Print a mean before and after with the interval of the gain."""
    gain = paired_bootstrap(before, after)
    shares = f"{100 * before.mean():.1f} -> {100 * after.mean():.1f}"
    print(f"{name}: {shares}, {gain.gain:+.1f} (95 % {gain.low:+.1f} to {gain.high:+.1f})")


def main() -> None:
    """Print the table, the gain with its interval, and the speed."""
    settings = load_settings({}, device="cpu")
    preset = find_preset("efficientnet-lite0-minilm-video")
    towers, _ = load_towers(preset, settings)
    tower = towers.media
    assert isinstance(tower, VideoTower)
    base = VideoAligner("base", "video-text", towers, None, towers.calibration)
    with tempfile.TemporaryDirectory() as name:
        videos = make(Path(name), "validation", MEASURED, tower)
        trained = make(Path(name), "train", TRAINED, tower)
        stills = []
        for video in videos:
            vectors = base.project_media(tower.frames.encode([decode_image(p) for p in video.drawings]))
            stills += list(
                (vectors @ base.encode_text(video.texts).T).argmax(0) == np.arange(len(video.texts))
            )
        before = measure(base, videos)
        ceiling, own = float(np.mean(stills)), float((before >= 0.5).mean())
        print(f"{len(before)} titles; own still first among its eight: {100 * ceiling:.1f} %")
        print(f"R@1 at IoU 0.5: {100 * own:.1f} %, {own / ceiling:.2f} times that")

        frames = sequences([v.frames.cut(*s) for v in trained for s in v.spans])
        texts = [t for v in trained for t in v.texts]
        codes = np.arange(len(texts), dtype=np.int64)
        words = {t: i for i, t in enumerate(dict.fromkeys(texts))}
        pairs = PairArrays(
            frames.means(),
            towers.text.encode(texts),
            np.ones(len(texts), bool),
            codes,
            np.array([words[t] for t in texts], dtype=np.int64),
            frames,
        )
        reference = np.concatenate([v.frames.features for v in trained]).astype(np.float32)
        compute = decide_compute("cpu")
        for kind in preset.heads:
            learned = train_head(pairs, None, reference, preset.dim, TrainSettings(head=kind), compute)
            *_, (_, head) = learned
            after = measure(VideoAligner("tuned", "video-text", towers, head, towers.calibration), videos)
            print(f"{kind} head, trained on {len(texts)} spans of {len(trained)} other videos:")
            old, new = Localisation(before).scores(), Localisation(after).scores()
            for name in old:
                told(f"  {name}", old[name], new[name])

        seconds = sum(v.spans[-1][1] for v in videos[:4])
        begun = time.perf_counter()
        for video in videos[:4]:
            analyse_video(tower, video.path)
        ours = time.perf_counter() - begun
        begun = time.perf_counter()
        for video in videos[:4]:
            for i, frame in enumerate(f for f in decode_video(video.path) if f.image is not None):
                if i % 12 == 0:
                    tower.frames.encode([frame.image])
        plain = time.perf_counter() - begun
        print(
            f"indexing {seconds:.0f} s of video: {ours:.1f} s, {seconds / ours:.1f} times real time; "
            f"decoding all and encoding one by one {plain:.1f} s: {plain / ours:.2f} times"
        )


if __name__ == "__main__":
    main()
