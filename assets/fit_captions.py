"""Fit how sure a caption is that the classifier sees: assets/captions.json.

    python assets/fit_captions.py

judged_captions.csv has what the bundled classifier sees in the drawings of assets/clipart and in the
photographs, with at least a third of its confidence, each looked at: 1 where a person who sees the picture
would agree. The fit is on the train rows, each counting once. What people agreed with is counted on the same
rows, a tenth of the pictures at a time by a fit on the others. benchmarks/captions.py measures on the
validation rows.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mmdemo.evaluation.calibrating import unseen
from mmdemo.media.image import decode_image
from mmdemo.modality import DEFAULT_TASK
from mmdemo.models.aligner import HeadAligner
from mmdemo.models.calibration import PairFit, fit_pairs
from mmdemo.models.captioning.agreement import count
from mmdemo.models.captioning.seen import FIT, LEAST_SEEN, evidence, seen_words
from mmdemo.models.load import load_towers
from mmdemo.models.registry import find_preset
from mmdemo.settings import ASSETS, load_settings

PRESET = "efficientnet-lite0-devise"
FOLDS = 10
STRENGTH = 4.0  # of a prior that knows nothing: a hundred pictures are few


def judged(split: str) -> dict[str, dict[str, bool]]:
    """What was looked at of one split of the drawings: by file and text, whether it is right."""
    with (ASSETS / "clipart" / "metadata.csv").open(encoding="utf-8") as f:
        wanted = {f"clipart/{row['file_name']}" for row in csv.DictReader(f) if row["split"] == split}
    found: dict[str, dict[str, bool]] = {}
    with (ASSETS / "judged_captions.csv").open(encoding="utf-8") as f:
        for row in csv.DictReader(f):
            if row["file_name"] in wanted:
                found.setdefault(row["file_name"], {})[row["text"]] = row["right"] == "1"
    return found


def measured(aligner: HeadAligner, split: str) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Evidence of the captions that were looked at, whether each is right, and the number of its picture."""
    parts, right, picture = [], [], []
    for number, (name, texts) in enumerate(sorted(judged(split).items())):
        features = aligner.media_features([decode_image(ASSETS / name)])[0]
        seen = [word for word in seen_words(aligner, features) if word.text in texts]
        lacking = [word.text for word in seen_words(aligner, features) if word.text not in texts]
        if lacking:
            print(f"not looked at: {name} {lacking}", file=sys.stderr)
        if seen:
            parts.append(evidence(aligner, features, seen))
            right += [texts[word.text] for word in seen]
            picture += [number] * len(seen)
    found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return found, np.array(right), np.array(picture)


def fitted(found: dict[str, np.ndarray], right: np.ndarray, rows: np.ndarray) -> PairFit:
    """A fit on some rows."""
    taken = {name: found[name][rows] for name in found}
    return fit_pairs(taken, right[rows], np.ones(int(rows.sum())), PairFit({}, 0.0), STRENGTH)


def main() -> None:
    """Fit, count, and write both."""
    towers, _ = load_towers(find_preset(PRESET), load_settings({}, device="cpu"))
    aligner = HeadAligner(PRESET, DEFAULT_TASK, towers, None, towers.calibration)
    found, right, picture = measured(aligner, "train")
    said = unseen(lambda rows: fitted(found, right, rows), found, picture % FOLDS)
    agreed = count(zip(said.tolist(), right.tolist(), strict=True))
    fit = fitted(found, right, np.ones(len(right), bool))
    row = {"least_seen": LEAST_SEEN, "fit": fit.as_json(), "agreed": [vars(one) for one in agreed]}
    FIT.write_text(json.dumps(row, indent=1) + "\n", encoding="utf-8")
    print(f"{right.sum()} of {len(right)} are right; {[(a.least, a.right, a.of) for a in agreed]}")


if __name__ == "__main__":
    main()
