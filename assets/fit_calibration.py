"""Fit the probabilities that ship: assets/calibration.json and assets/background.safetensors.

    python assets/fit_calibration.py [PRESET ...]

For each bundled preset two fits are made on the train rows of assets/clipart: that of the base version, and
that of heads, which is where a workspace's own fit begins. Every sixth row is background and nothing else;
of the others each picture is asked its own title and all the others, which count so that one in five is
right. A head's evidence comes from heads that have not seen the fifth that they are asked about, and that
have learned from few or many labels: the less a head has learned, the more its base version still says.
Of videos the drawings are shots of videos made for it. Zones and reliability are cross-fitted: each fifth of
the rows is judged by a fit on the others. It is all to be run again whenever a base vector changes, for the
presets that are named, or all.
"""

from __future__ import annotations

import csv
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from mmdemo.evaluation.calibrating import measured, unseen
from mmdemo.evaluation.pair_arrays import PairArrays
from mmdemo.media.image import decode_image
from mmdemo.models.aligner import Towers
from mmdemo.models.calibration import BASE, PairFit, at_base_rate, fit_pairs
from mmdemo.models.device import decide_compute
from mmdemo.models.encoders.efficientnet_minilm import TEXT_DIM
from mmdemo.models.heads.residual import Projection
from mmdemo.models.judge import Judge
from mmdemo.models.load import load_towers
from mmdemo.models.presets import PRESETS, Preset
from mmdemo.models.shipped import BACKGROUND, FITS
from mmdemo.models.video.aligner import FrameFeatures, VideoTower, moment_evidence, sequences
from mmdemo.retrieval.encode_stream import encode_stream
from mmdemo.settings import ASSETS, load_settings
from mmdemo.training.config import TrainSettings
from mmdemo.training.trainables.head import train_head

EVERY = 6  # one row in so many is background
FOLDS = 5
VIDEOS = 30
LABELS = (50, 120, None)  # that a head learns from; None: all that there are
SHOTS = (1, 2, 4, 8)  # of each video so many of its first shots are a video too
STRENGTH = 1.0  # weighs next to nothing: a hundred rows and more decide
PICTURES = "efficientnet-minilm"
FRAMES = "efficientnet-minilm-frames"


@dataclass(frozen=True)
class Judged:
    """Evidence of N pairs, which belong to a fold each."""

    evidence: dict[str, np.ndarray]
    matches: np.ndarray  # (N,) bool
    fold: np.ndarray  # (N,)
    weight: np.ndarray  # (N,) at the base rate, of each medium that was asked


def joined(parts: list[Judged]) -> Judged:
    """All pairs of several."""
    evidence = {n: np.concatenate([p.evidence[n] for p in parts]) for n in parts[0].evidence}
    rest = (np.concatenate([getattr(p, name) for p in parts]) for name in ("matches", "fold", "weight"))
    return Judged(evidence, *rest)


def fitted(pairs: Judged, on: str) -> PairFit:
    """A fit on all pairs, with zones and reliability of fits that did not see what they judge."""

    def fit(rows: np.ndarray) -> PairFit:
        part = {name: values[rows] for name, values in pairs.evidence.items()}
        return fit_pairs(part, pairs.matches[rows], pairs.weight[rows], strength=STRENGTH)

    said = unseen(fit, pairs.evidence, pairs.fold)
    return measured(fit(np.ones(len(said), bool)), said, pairs.matches, pairs.weight, on)


def squared(evidence: dict[str, np.ndarray], fold: np.ndarray) -> Judged:
    """The (N, N) evidence of N media with their own N texts, of which medium and text have a fold each.

    A pair belongs to its medium's fold, and counts where its text is of the same one.
    """
    own = np.eye(len(fold), dtype=bool)
    kept = np.broadcast_to(fold[:, None] == fold[None], own.shape)
    found = {name: np.array(np.broadcast_to(values, own.shape))[kept] for name, values in evidence.items()}
    return Judged(found, own[kept], np.broadcast_to(fold[:, None], own.shape)[kept], at_base_rate(own[kept]))


def matches_of(features: np.ndarray, texts: np.ndarray) -> PairArrays:
    """Media and texts of which each is a match of its own."""
    codes = np.arange(len(texts), dtype=np.int64)
    return PairArrays(features, texts, np.ones(len(texts), bool), codes, codes)


def head_on(pairs: PairArrays, reference: np.ndarray) -> Projection:
    """The space of a head that has learned."""
    *_, (_, head) = train_head(pairs, None, reference, TEXT_DIM, TrainSettings(), decide_compute("cpu"))
    return Projection(TEXT_DIM, head)


def fit_pictures(towers: Towers, features: np.ndarray, texts: np.ndarray) -> tuple[PairFit, PairFit]:
    """The fits of the base version and of heads, on N drawings that are no background."""
    fold = np.random.default_rng(0).permutation(len(texts)) % FOLDS
    base = Judge(towers.grounds, Projection(TEXT_DIM, None), PairFit({}, 0.0))
    on = f"{len(texts)} drawings that ship, each with its own title and all others"
    first = fitted(squared(base.evidence(features, texts), fold), on)
    base.fit = first
    parts = []
    for i in range(FOLDS):
        rest, asked = np.flatnonzero(fold != i), np.flatnonzero(fold == i)
        said = base.log_odds(features[asked], texts[asked])
        for labels in LABELS:
            taught = np.random.default_rng(i).permutation(rest)[:labels]
            space = head_on(matches_of(features[taught], texts[taught]), features)
            evidence = Judge(towers.grounds, space, first).evidence(features[asked], texts[asked])
            parts.append(squared(evidence | {BASE: said}, fold[asked]))
    return first, fitted(joined(parts), on + ", by heads that learned from the rest")


@dataclass(frozen=True)
class Shown:
    """A video, and what it shows."""

    frames: FrameFeatures
    texts: list[str]
    spans: list[tuple[float, float]]


def make_videos(tower: VideoTower) -> Iterator[Shown]:
    """Videos of drawings of the train side."""
    from build_video import choose_shots, write_stills

    from mmdemo.retrieval.video.frames import analyse_video

    with tempfile.TemporaryDirectory() as name:
        for number, shots in enumerate(choose_shots("train", VIDEOS, 5)):
            path = Path(name) / f"{number}.mp4"
            spans = write_stills(path, [(file, seconds) for file, _, seconds in shots])
            yield Shown(analyse_video(tower, path), [t for _, t, _ in shots], spans)


def begun(frames: FrameFeatures, shots: int) -> FrameFeatures:
    """A video that ends after so many shots."""
    rows = frames.rows(None, float(frames.shots[shots - 1, 1]))
    return FrameFeatures(frames.times[rows], frames.features[rows], frames.shots[:shots])


def ask_videos(
    videos: list[Shown],
    titles: dict[str, np.ndarray],
    fold: np.ndarray,
    of: int,
    judges: tuple[Judge, Judge | None],
) -> Judged:
    """The evidence of the videos of a fold with all titles of that fold: right are those that are shown."""
    own = [v for v, f in zip(videos, fold, strict=True) if f == of]
    asked = sorted({t for v in own for t in v.texts})
    vectors = np.stack([titles[t] for t in asked])
    parts = []
    for video in own:
        for shots in (n for n in SHOTS if n <= len(video.frames.shots)):
            part = begun(video.frames, shots)
            until = float(part.shots[-1, 1])
            shown = {t for t, span in zip(video.texts, video.spans, strict=True) if span[0] < until - 0.1}
            judge, base = judges
            evidence = moment_evidence(judge, judge.space, part, vectors)
            if base is not None:
                evidence[BASE] = base.fit.log_odds(moment_evidence(base, base.space, part, vectors))
            match = np.array([t in shown for t in asked])
            parts.append(Judged(evidence, match, np.full(len(asked), of), at_base_rate(match)))
    return joined(parts)


def fit_videos(towers: Towers) -> tuple[PairFit, PairFit]:
    """The fits of the base version and of heads, on videos of drawings."""
    tower = towers.media
    assert isinstance(tower, VideoTower)
    videos = list(make_videos(tower))
    texts = sorted({t for v in videos for t in v.texts})
    titles = dict(zip(texts, towers.text.encode(texts), strict=True))
    fold = np.arange(len(videos)) % FOLDS
    base = Judge(towers.grounds, Projection(TEXT_DIM, None), PairFit({}, 0.0))
    on = f"{len(videos)} videos of drawings that ship, with titles of drawings that they show and do not"
    first = fitted(joined([ask_videos(videos, titles, fold, i, (base, None)) for i in range(FOLDS)]), on)
    base.fit = first
    reference = np.concatenate([v.frames.features for v in videos]).astype(np.float32)
    parts = []
    for i in range(FOLDS):
        rest = [
            (v, t, s)
            for v, f in zip(videos, fold, strict=True)
            if f != i
            for t, s in zip(v.texts, v.spans, strict=True)
        ]
        frames = sequences([v.frames.cut(*s) for v, _, s in rest])
        words = {t: k for k, t in enumerate(dict.fromkeys(t for _, t, _ in rest))}
        pairs = replace(
            matches_of(frames.means(), np.stack([titles[t] for _, t, _ in rest])),
            text_code=np.array([words[t] for _, t, _ in rest], dtype=np.int64),
            frames=frames,
        )
        judge = Judge(towers.grounds, head_on(pairs, reference), first)
        parts.append(ask_videos(videos, titles, fold, i, (judge, base)))
    return first, fitted(joined(parts), on + ", by heads that learned from others")


def presets(loader: str) -> list[Preset]:
    """Those that ship, of one loader, that are wanted."""
    wanted = sys.argv[1:]
    return [p for p in PRESETS.values() if p.loader == loader and (not wanted or p.id in wanted)]


def main() -> None:
    """Write both files."""
    with (ASSETS / "clipart" / "metadata.csv").open(encoding="utf-8") as f:
        rows = [row for row in csv.DictReader(f) if row["split"] == "train"]
    is_background = np.arange(len(rows)) % EVERY == 0
    paths = [ASSETS / "clipart" / row["file_name"] for row in rows]
    titles = [row["text"] for row, back in zip(rows, is_background, strict=True) if not back]
    settings = load_settings({}, device="cpu")
    fits: dict[str, PairFit] = {}
    background = load_file(BACKGROUND) if BACKGROUND.exists() else {}
    if not BACKGROUND.exists():  # the towers are loaded with it; its values are those of this run below
        names = {p.media_tower for p in presets(PICTURES)}
        save_file({name: np.zeros((1, 1280), np.float16) for name in names}, BACKGROUND)
    if not FITS.exists():
        FITS.write_text("{}\n")
    for preset in presets(PICTURES):
        towers, _ = load_towers(preset, settings)
        features = np.concatenate([f for _, f in encode_stream(towers.media, decode_image, paths)])
        background[preset.media_tower] = features[is_background, TEXT_DIM:].astype(np.float16)
        grounds = replace(towers.grounds, media=features[is_background])
        towers = replace(towers, grounds=grounds)
        texts = towers.text.encode(titles)
        fits[preset.id], fits[f"{preset.id}/tuned"] = fit_pictures(towers, features[~is_background], texts)
        told(preset.id, fits)
    save_file(background, BACKGROUND)
    for preset in presets(FRAMES):
        towers, _ = load_towers(preset, settings)
        fits[preset.id], fits[f"{preset.id}/tuned"] = fit_videos(towers)
        told(preset.id, fits)
    kept = json.loads(FITS.read_text(encoding="utf-8"))
    kept |= {name: fit.as_json() for name, fit in fits.items()}
    FITS.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def told(name: str, fits: dict[str, PairFit]) -> None:
    """Print what came out."""
    for one in (name, f"{name}/tuned"):
        fit = fits[one]
        error = 100 * fit.reliability.ece if fit.reliability else float("nan")
        weights = {n: round(w, 3) for n, w in fit.weights.items()}
        print(f"{one}: ECE {error:.1f} %, {fit.zones}, {weights}, bias {fit.bias:.3f}", flush=True)


if __name__ == "__main__":
    main()
