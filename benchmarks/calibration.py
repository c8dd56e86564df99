"""Whether a probability is what it says, on pictures and videos that calibrated nothing.

    python benchmarks/calibration.py [--quick] [--pictures FILE.csv]

Each caption is put beside four others, all in turn: the validation drawings; the photographs of assets;
pictures of one's own, by a CSV with file_name and text; all of them after a head has learned from 50 and from
400 train drawings, with texts that it was taught beside and with others; after it was taught two kinds of
drawings, those of the other kinds; videos of validation drawings. What so few pictures say of a model that is
perfectly calibrated is said beside: eleven photographs come out wrong by several points.

The columns are the right ones, the expected calibration error, what that is by chance, the wrong ones at
50 % or more, the right ones at 50 % or more, and the shares that are right of those that are said to fit and
not to fit, with how many those are.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from common import ROOT, Clipart, load_clipart

sys.path.insert(0, str(ROOT / "assets"))

from mmdemo.media.image import decode_image
from mmdemo.models.aligner import HeadAligner
from mmdemo.models.calibration import at_base_rate
from mmdemo.models.device import decide_compute
from mmdemo.models.find_model import find_preset
from mmdemo.models.load import load_towers
from mmdemo.models.reliability import Zones, reliability
from mmdemo.models.video.aligner import VideoAligner, VideoTower
from mmdemo.settings import ASSETS, load_settings
from mmdemo.training.config import TrainSettings
from mmdemo.training.trainables.head import train_head

TASK = "image-text"
VIDEOS = 12
KINDS = ("animals", "food")  # what a narrow head is taught
LABELS = (50, 400)  # that a head learns from


def told(name: str, said: np.ndarray, match: np.ndarray, zones: Zones) -> None:
    """Print a row, of (N,) probabilities of N pairs of which one in five counts as right."""
    weight = at_base_rate(match)
    found = reliability(said, match, weight, name)
    yes, no = said >= zones.fits, said <= zones.does_not

    def right(here: np.ndarray) -> str:
        total = weight[here].sum()
        return (
            f"{100 * weight[here & match].sum() / total:.0f} of {100 * total / weight.sum():.0f}"
            if total
            else "-"
        )

    wrong, own = (100 * (said[of] >= 0.5).mean() for of in (~match, match))
    print(
        f"| {name} | {match.sum()} | {100 * found.ece:.1f} | {100 * chance(said, match):.1f} | {wrong:.1f} "
        f"| {own:.1f} | {right(yes)} | {right(no)} |",
        flush=True,
    )


def chance(said: np.ndarray, match: np.ndarray, draws: int = 200) -> float:
    """The error that so few pairs show on average where every probability is what it says."""
    rng, weight = np.random.default_rng(0), at_base_rate(match)
    # Right and wrong pairs that are as likely as these say, as many of each as there are.
    likely = {True: weight * said, False: weight * (1 - said)}
    errors = []
    for _ in range(draws):
        rows = [
            rng.choice(len(said), n, p=likely[which] / likely[which].sum())
            for which, n in ((True, int(match.sum())), (False, int((~match).sum())))
        ]
        drawn = np.repeat([True, False], [len(r) for r in rows])
        errors.append(reliability(said[np.concatenate(rows)], drawn, at_base_rate(drawn), "").ece)
    return float(np.mean(errors))


def square(
    aligner: HeadAligner, art: Clipart, media: np.ndarray, texts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(N,) probabilities of drawings with titles by their rows, and whether they match."""
    said = aligner.probabilities(art.pairs.features[media], art.pairs.texts[texts])
    return said.ravel(), (media[:, None] == texts[None]).ravel()


def pictures(art: Clipart, seeds: int, others: dict[str, list[tuple[Path, str]]]) -> None:
    """The drawings and other pictures, before and after heads have learned."""
    towers, test = art.towers, art.validation
    base = HeadAligner("base", TASK, towers, None, towers.calibration)
    told("drawings", *square(base, art, test, test), base.zones)
    for name, rows in others.items():
        asked(name, base, rows)
    with (ASSETS / "clipart" / "metadata.csv").open(encoding="utf-8") as f:
        category = np.array([row["category"] for row in csv.DictReader(f)])
    for seed in range(seeds):
        for labels in LABELS:
            after = f"after {labels} labels, seed {seed}"
            seen = np.random.default_rng(seed).permutation(art.train)[:labels]
            tuned = taught(art, seen, seed)
            said, match = square(tuned, art, test, test)
            told(f"drawings {after}, texts unseen", said, match, tuned.zones)
            other, _ = square(tuned, art, test, seen)
            mixed = np.concatenate([said[match], other]), np.repeat([True, False], [len(test), len(other)])
            told(f"drawings {after}, beside texts that were taught", *mixed, tuned.zones)
            for name, rows in others.items():
                asked(f"{name} {after}", tuned, rows)
        narrow = taught(art, art.train[np.isin(category[art.train], KINDS)], seed)
        far = test[~np.isin(category[test], KINDS)]
        told(f"drawings of other kinds, seed {seed}", *square(narrow, art, far, far), narrow.zones)


def taught(art: Clipart, rows: np.ndarray, seed: int) -> HeadAligner:
    """A version whose head has learned from some rows."""
    *_, (_, head) = train_head(
        art.pairs.take(rows), None, art.pairs.features, 384, TrainSettings(seed=seed), decide_compute("cpu")
    )
    return HeadAligner("tuned", TASK, art.towers, head, art.towers.calibration)


def asked(name: str, aligner: HeadAligner, rows: Sequence[tuple[Path, str]]) -> None:
    """Pictures by their files, each asked its own text and those of the others."""
    texts = list(dict.fromkeys(text for _, text in rows))
    features = np.concatenate([aligner.media_features([decode_image(path)]) for path, _ in rows])
    said = aligner.probabilities(features, aligner.text_vectors(texts))
    own = np.array([[text == one for one in texts] for _, text in rows])
    told(name, said.ravel(), own.ravel(), aligner.zones)
    names = [path.stem for path, _ in rows]
    if {"chelsea", "rocket"} <= set(names):
        rocket = said[names.index("chelsea"), texts.index(rows[names.index("rocket")][1])]
        print(f"“A rocket lifting off” on the cat: {100 * rocket:.1f} %", flush=True)


def listed(manifest: Path, within: str = "") -> list[tuple[Path, str]]:
    """The pictures and texts of a CSV, of those whose names begin so."""
    with manifest.open(encoding="utf-8") as f:
        return [
            (manifest.parent / row["file_name"], row["text"])
            for row in csv.DictReader(f)
            if row["file_name"].startswith(within)
        ]


def videos() -> None:
    """Videos of validation drawings with the titles that they show and do not."""
    from build_video import choose_shots, write_stills

    from mmdemo.retrieval.video.frames import analyse_video

    towers, _ = load_towers(find_preset("efficientnet-lite0-minilm-video"), load_settings({}, device="cpu"))
    tower = towers.media
    assert isinstance(tower, VideoTower)
    aligner = VideoAligner("base", "video-text", towers, None, towers.calibration)
    chosen = list(choose_shots("validation", VIDEOS, 11))
    texts = sorted({text for shots in chosen for _, text, _ in shots})
    said, match = [], []
    with tempfile.TemporaryDirectory() as folder:
        for number, shots in enumerate(chosen):
            path = Path(folder) / f"{number}.mp4"
            write_stills(path, [(file, seconds) for file, _, seconds in shots])
            scores = aligner.align(analyse_video(tower, path), texts)
            said.append([s.probability for s in scores])
            match.append([s.text in {text for _, text, _ in shots} for s in scores])
    told("videos", np.concatenate(said), np.concatenate(match), aligner.zones)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one seed, and no videos")
    parser.add_argument("--pictures", type=Path, help="a CSV with file_name and text")
    given = parser.parse_args()
    others = {"photographs": listed(ASSETS / "samples.csv", "photos/")}
    if given.pictures:
        others["given pictures"] = listed(given.pictures)
    heads = (
        "pairs",
        "right ones",
        "ECE",
        "by chance",
        "wrong at 50 %",
        "right at 50 %",
        "right of those that fit",
        "of those that don't",
    )
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}", flush=True)
    pictures(load_clipart(), 1 if given.quick else 3, others)
    if not given.quick:
        videos()


if __name__ == "__main__":
    main()
