"""Fit how sure a caption is: assets/captions.json, and assets/things.safetensors.

    python assets/fit_captions.py PHOTOGRAPHS

PHOTOGRAPHS is what build_photographs.py made. judged_captions.csv and judged_photographs.csv have what the
bundled classifier sees in the drawings of assets/clipart and in them, with a third of its confidence or more,
each looked at: 1 where a person who sees the picture would agree. What it has no class for is fitted by
fit_things.py.

The fit is on the train rows of the drawings and on the photographs, each caption counting once. What people
agreed with is counted on the same pictures, a tenth at a time by fits on the others. How often a photograph's
caption is right is also measured by a fit on the drawings and the other half. benchmarks/captions.py measures
on the validation rows and on the photographs of assets, on which nothing is fitted.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from fit_things import FOLDS, fit_things, path_of, read, share

from mmdemo.evaluation.calibrating import unseen
from mmdemo.media.image import decode_image
from mmdemo.modality import DEFAULT_TASK
from mmdemo.models.aligner import HeadAligner
from mmdemo.models.calibration import PairFit, fit_pairs
from mmdemo.models.captioning.agreement import SURE, count
from mmdemo.models.captioning.seen import FIT, LEAST_SEEN, evidence, seen_words
from mmdemo.models.find_model import find_preset
from mmdemo.models.load import load_towers
from mmdemo.settings import load_settings

PRESET = "efficientnet-lite0-devise"
STRENGTH = 4.0  # of a prior that knows nothing: a hundred pictures are few

Table = dict[str, np.ndarray]  # evidence by name


@dataclass(frozen=True)
class Looked:
    """N captions that were looked at."""

    evidence: Table
    right: np.ndarray  # (N,) bool
    picture: np.ndarray  # (N,) str: its file


def judged(rows: list[dict[str, str]], wanted: Callable[[str], bool]) -> dict[str, dict[str, bool]]:
    """What was looked at: by file and text, whether it is right."""
    found: dict[str, dict[str, bool]] = {}
    for row in rows:
        if wanted(row["file_name"]):
            found.setdefault(row["file_name"], {})[row["text"]] = row["right"] == "1"
    return found


def looked_at(aligner: HeadAligner, features: Table, known: dict[str, dict[str, bool]]) -> Looked:
    """Evidence of the captions that were looked at."""
    parts, right, picture = [], [], []
    for name, texts in sorted(known.items()):
        words = seen_words(aligner, features[name])
        seen = [word for word in words if word.text in texts]
        if len(seen) < len(words):
            print(f"not looked at: {name} {[w.text for w in words if w.text not in texts]}", file=sys.stderr)
        if seen:
            parts.append(evidence(aligner, features[name], seen))
            right += [texts[word.text] for word in seen]
            picture += [name] * len(seen)
    found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return Looked(found, np.array(right), np.array(picture))


def fitted(found: Table, right: np.ndarray, rows: np.ndarray) -> PairFit:
    """A fit on some rows."""
    taken = {name: found[name][rows] for name in found}
    return fit_pairs(taken, right[rows], np.ones(int(rows.sum())), PairFit({}, 0.0), STRENGTH)


def tell_halves(looked: Looked, photographs: set[str]) -> None:
    """Print how often a photograph's first caption is right by a fit on drawings and the other half."""
    given = np.isin(looked.picture, list(photographs))
    half = np.array([share(name, 2) for name in looked.picture])
    for one in (0, 1):
        fit = fitted(looked.evidence, looked.right, ~given | (half != one))
        said, firsts = fit.probability(looked.evidence), []
        for name in np.unique(looked.picture[given & (half == one)]):
            own = np.flatnonzero(looked.picture == name)
            firsts.append(own[said[own].argmax()])
        sure = [at for at in firsts if said[at] >= SURE]
        asked = sum(share(name, 2) == one for name in photographs)
        right = int(looked.right[sure].sum())
        print(f"half {one}: {len(sure)} of {asked} photographs have one that claims 80 %, {right} are right")


def main() -> None:
    """Fit, count, and write both."""
    folder = Path(sys.argv[1])
    towers, _ = load_towers(find_preset(PRESET), load_settings({}, device="cpu"))
    aligner = HeadAligner(PRESET, DEFAULT_TASK, towers, None, towers.calibration)
    drawings = {f"clipart/{r['file_name']}" for r in read("clipart/metadata.csv") if r["split"] == "train"}
    photographs = {path.name for path in folder.glob("*.jpg")}
    files = sorted(drawings | photographs)
    features: Table = {}
    for at in range(0, len(files), 32):
        images = [decode_image(path_of(name, folder)) for name in files[at : at + 32]]
        features |= dict(zip(files[at : at + 32], aligner.media_features(images), strict=True))
    rows = [*read("judged_captions.csv"), *read("judged_photographs.csv")]
    looked = looked_at(aligner, features, judged(rows, lambda name: name in features))
    fold = np.array([share(name, FOLDS) for name in looked.picture])
    said = unseen(lambda on: fitted(looked.evidence, looked.right, on), looked.evidence, fold)
    things = fit_things(aligner, features, folder, find_preset(PRESET).media_tower)
    tell_halves(looked, photographs)
    claimed = things[0] >= LEAST_SEEN  # of what nobody would claim nothing is to be counted
    all_said = np.concatenate([said, things[0][claimed]])
    all_right = np.concatenate([looked.right, things[1][claimed]])
    agreed = count(zip(all_said.tolist(), all_right.tolist(), strict=True))
    fit = fitted(looked.evidence, looked.right, np.ones(len(looked.right), bool))
    row = {"least_seen": LEAST_SEEN, "fit": fit.as_json(), "agreed": [vars(one) for one in agreed]}
    FIT.write_text(json.dumps(row, indent=1) + "\n", encoding="utf-8")
    print(f"{all_right.sum()} of {len(all_right)} are right; {[(a.least, a.right, a.of) for a in agreed]}")


if __name__ == "__main__":
    main()
