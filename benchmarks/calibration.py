"""Whether a probability is what it says, on pictures and videos that calibrated nothing.

    python benchmarks/calibration.py [--quick]

Each caption is put beside four others, all in turn: the validation drawings; the photographs of assets; the
drawings after a head has learned from the train rows, with texts that it was taught and with others; after it
was taught two kinds of drawings, those of the other kinds; after it was taught of what kind each is, the
kinds and the titles; videos of validation drawings. The columns are the expected calibration error, the wrong
ones at 50 % or more, the right ones at 50 % or more, and the shares that are right of those that are said to
fit and not to fit, with how many those are.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from pathlib import Path

import numpy as np
from common import ROOT, Clipart, load_clipart

sys.path.insert(0, str(ROOT / "assets"))

from mmdemo.media.image import decode_image
from mmdemo.models.aligner import HeadAligner
from mmdemo.models.calibration import at_base_rate
from mmdemo.models.device import decide_compute
from mmdemo.models.load import load_towers
from mmdemo.models.registry import find_preset
from mmdemo.models.reliability import Zones, reliability
from mmdemo.models.video.aligner import VideoAligner, VideoTower
from mmdemo.settings import ASSETS, load_settings
from mmdemo.training.config import TrainSettings
from mmdemo.training.trainables.head import train_head

TASK = "image-text"
VIDEOS = 12
KINDS = ("animals", "food")  # what a narrow head is taught


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
        f"| {name} | {100 * found.ece:.1f} | {wrong:.1f} | {own:.1f} | {right(yes)} | {right(no)} |",
        flush=True,
    )


def square(
    aligner: HeadAligner, art: Clipart, media: np.ndarray, texts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(N,) probabilities of drawings with titles by their rows, and whether they match."""
    said = aligner.probabilities(art.pairs.features[media], art.pairs.texts[texts])
    return said.ravel(), (media[:, None] == texts[None]).ravel()


def pictures(art: Clipart, seeds: int) -> None:
    """The drawings, before and after heads have learned."""
    towers, test = art.towers, art.validation
    base = HeadAligner("base", TASK, towers, None, towers.calibration)
    told("drawings", *square(base, art, test, test), base.zones)
    photographs(base)
    with (ASSETS / "clipart" / "metadata.csv").open(encoding="utf-8") as f:
        category = np.array([row["category"] for row in csv.DictReader(f)])
    for seed in range(seeds):
        tuned = taught(art, art.train, seed)
        said, match = square(tuned, art, test, test)
        told(f"drawings after tuning, texts unseen, seed {seed}", said, match, tuned.zones)
        other, _ = square(tuned, art, test, art.train)
        mixed = np.concatenate([said[match], other]), np.repeat([True, False], [len(test), len(other)])
        told(f"own text beside texts that were taught, seed {seed}", *mixed, tuned.zones)
        photographs(tuned, f", after tuning, seed {seed}")
        narrow = taught(art, art.train[np.isin(category[art.train], KINDS)], seed)
        far = test[~np.isin(category[test], KINDS)]
        told(
            f"tuned on animals and food, the others, seed {seed}",
            *square(narrow, art, far, far),
            narrow.zones,
        )


def taught(art: Clipart, rows: np.ndarray, seed: int) -> HeadAligner:
    """A version whose head has learned from some rows."""
    *_, (_, head) = train_head(
        art.pairs.take(rows), None, art.pairs.features, 384, TrainSettings(seed=seed), decide_compute("cpu")
    )
    return HeadAligner("tuned", TASK, art.towers, head, art.towers.calibration)


def photographs(aligner: HeadAligner, after: str = "") -> None:
    """The photographs, each with its own caption and those of the others; and a rocket on the cat."""
    with (ASSETS / "samples.csv").open(encoding="utf-8") as f:
        rows = [row for row in csv.DictReader(f) if row["file_name"].startswith("photos/")]
    features = aligner.media_features([decode_image(ASSETS / row["file_name"]) for row in rows])
    said = aligner.probabilities(features, aligner.text_vectors([row["text"] for row in rows]))
    told(f"photographs{after}", said.ravel(), np.eye(len(rows), dtype=bool).ravel(), aligner.zones)
    names = [Path(row["file_name"]).stem for row in rows]
    rocket = said[names.index("chelsea"), names.index("rocket")]
    print(f"“A rocket lifting off” on the cat{after}: {100 * rocket:.1f} %", flush=True)


def videos() -> None:
    """Videos of validation drawings with the titles that they show and do not."""
    from build_video import choose_shots, write_stills

    from mmdemo.retrieval.frames import analyse_video

    towers, _ = load_towers(find_preset("efficientnet-lite0-minilm-video"), load_settings({}, device="cpu"))
    tower = towers.media
    assert isinstance(tower, VideoTower)
    aligner = VideoAligner("base", "video-text", towers, None, towers.calibration)
    chosen = choose_shots("validation", VIDEOS, 11)
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
    quick = parser.parse_args().quick
    print("| pairs | ECE | wrong at 50 % | right at 50 % | right of those that fit | of those that don't |")
    print("|---|---|---|---|---|---|", flush=True)
    pictures(load_clipart(), 1 if quick else 3)
    if not quick:
        videos()


if __name__ == "__main__":
    main()
