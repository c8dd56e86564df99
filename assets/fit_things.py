"""Fit what is seen beside the classes of the classifier: assets/things.safetensors.

fit_captions.py does it with its own, from the same pictures. judged_things.csv says which of them show a
thing; those without a verdict are left out of it, and all others do not show it. Pictures of textures are
learned from in grey and in part as well, and one in four of all others in grey. The log-odds of a thing are
scaled so that they say what was right of pictures that it had not seen: all things by one scale, since each
by itself is on few.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import save_file
from scipy.optimize import minimize
from scipy.special import expit, logit

from mmdemo.evaluation.calibrating import unseen
from mmdemo.media.image import decode_image
from mmdemo.models.aligner import HeadAligner
from mmdemo.models.calibration import PairFit, fit_pairs
from mmdemo.models.captioning.seen import FACE, PERSON, PERSON_FIT, SEEN, THING, face_evidence
from mmdemo.models.encoders.efficientnet_minilm import TEXT_DIM
from mmdemo.models.encoders.faces import face_detector
from mmdemo.models.encoders.things import FILE, unit
from mmdemo.settings import ASSETS

FOLDS = 10
PARTS = 5  # of the pictures, each looked at by what was learned from the others
PENALTY = 60.0  # on the weights, in the features' own spread
STRENGTH = 4.0  # of the prior of their scale
TEXTURES = {"grass", "a brick wall", "stones", "wood", "clouds in the sky"}  # also learned from parts
PART = 0.55  # of the shorter side
EVERY = 4  # one other picture in so many is learned from in grey as well


@dataclass(frozen=True)
class Pictures:
    """P pictures to learn things from: each in its colours, some in grey or a part of them."""

    pooled: np.ndarray  # (P, K) of unit length
    file: np.ndarray  # (P,) str
    whole: np.ndarray  # (P,) bool: in its colours, all of it


def read(name: str) -> list[dict[str, str]]:
    """The rows of a file beside this one."""
    with (ASSETS / name).open(encoding="utf-8") as f:
        return list(csv.DictReader(f))


def share(file: str, of: int) -> int:
    """Which of so many parts a picture belongs to, whatever else there is."""
    return int(sha256(file.encode()).hexdigest(), 16) % of


def path_of(name: str, folder: Path) -> Path:
    """Where a picture lies that a file names."""
    return ASSETS / name if "/" in name else folder / name


def parts_of(image: Image.Image) -> list[Image.Image]:
    """A texture in grey, and its middle in both."""
    side = round(PART * min(image.size))
    left, top = (image.width - side) // 2, (image.height - side) // 2
    middle = image.crop((left, top, left + side, top + side))
    return [grey(image), middle, grey(middle)]


def grey(image: Image.Image) -> Image.Image:
    """Without its colours."""
    return image.convert("L").convert("RGB")


def to_learn_from(aligner: HeadAligner, features: dict[str, np.ndarray], folder: Path) -> Pictures:
    """All pictures of which it was looked at what things they show."""
    files = sorted(features)
    textures = {
        row["file_name"] for row in read("judged_things.csv") if row["text"] in TEXTURES and row["right"]
    }
    pooled, file = [features[name][None] for name in files], list(files)
    for number, name in enumerate(files):
        if name in textures or number % EVERY == 0:
            image = decode_image(path_of(name, folder))
            more = parts_of(image) if name in textures else [grey(image)]
            pooled.append(aligner.media_features(more))
            file += [name] * len(more)
    whole = np.arange(len(file)) < len(files)
    return Pictures(unit(np.concatenate(pooled)[:, TEXT_DIM:]), np.array(file), whole)


def learned(rows: np.ndarray, shown: np.ndarray) -> tuple[np.ndarray, float]:
    """(K,) weights and a bias: logistic regression with an L2 penalty on (P, K) rows."""
    spread = rows.std(0) + 1e-6
    x = (rows - rows.mean(0)) / spread

    def loss(at: np.ndarray) -> tuple[float, np.ndarray]:
        weight = at[:-1].astype(np.float32)  # as the rows are: twice as quick
        odds = (x @ weight).astype(np.float64) + at[-1]
        away = expit(odds) - shown
        total = float((np.logaddexp(0, odds) - shown * odds).sum() + PENALTY * at[:-1] @ at[:-1] / 2)
        slope = (away.astype(np.float32) @ x).astype(np.float64)
        return total, np.append(slope + PENALTY * at[:-1], away.sum())

    at = minimize(loss, np.zeros(x.shape[1] + 1), jac=True, method="L-BFGS-B").x
    weight = at[:-1] / spread
    return weight, float(at[-1] - weight @ rows.mean(0))


def odds_unseen(pictures: Pictures, shown: np.ndarray, left_out: np.ndarray) -> np.ndarray:
    """(P,) log-odds of each picture, by what was learned from the other parts."""
    part = np.array([share(name, PARTS) for name in pictures.file])
    odds = np.zeros(len(part))
    for one in range(PARTS):
        weight, bias = learned(pictures.pooled[(part != one) & ~left_out], shown[(part != one) & ~left_out])
        odds[part == one] = pictures.pooled[part == one] @ weight + bias
    return odds


def fit_person(files: np.ndarray, thing: np.ndarray, shown: np.ndarray, folder: Path) -> np.ndarray:
    """Write how sure it is that somebody is shown, by (N,) probabilities of the thing and the likeliest face;
    (N,) what was said of pictures that had not been seen.
    """
    found = [face_detector().faces(decode_image(path_of(name, folder))) for name in files]
    faces = np.array([one[0].probability if one else 0.0 for one in found])
    table = {THING: logit(thing.clip(1e-6, 1 - 1e-6)), FACE: face_evidence(faces)}

    def fitted(on: np.ndarray) -> PairFit:
        rows = {name: values[on] for name, values in table.items()}
        return fit_pairs(rows, shown[on], np.ones(int(on.sum())), PairFit({}, 0.0), STRENGTH)

    said = unseen(fitted, table, np.array([share(name, FOLDS) for name in files]))
    fit = fitted(np.ones(len(shown), bool))
    PERSON_FIT.write_text(json.dumps(fit.as_json(), indent=1) + "\n", encoding="utf-8")
    for least in (0.5, 0.8):
        sure = said >= least
        print(f"a person, by faces too: {shown[sure].sum()} of {sure.sum()} that claim {100 * least:.0f} %")
    print(f"log loss {-np.log(np.where(shown, said, 1 - said)).mean():.4f}, {fit.weights}, {fit.bias:.2f}")
    return said


def fit_things(
    aligner: HeadAligner, features: dict[str, np.ndarray], folder: Path, tower: str
) -> tuple[np.ndarray, np.ndarray]:
    """Write them; what was said of pictures that had not been seen, and whether it was right: (N,) each.

    Args:
        aligner: whose features.
        features: (F,) of each file that was looked at.
        folder: the photographs.
        tower: the network's name in timm.
    """
    pictures, rows = to_learn_from(aligner, features, folder), read("judged_things.csv")
    names = list(dict.fromkeys(row["text"] for row in rows))
    odds, shown, asked, weights, biases = [], [], [], [], []
    for name in names:
        yes = {row["file_name"] for row in rows if row["text"] == name and row["right"]}
        unknown = {row["file_name"] for row in rows if row["text"] == name and not row["right"]}
        right, left_out = np.isin(pictures.file, list(yes)), np.isin(pictures.file, list(unknown))
        counted = pictures.whole & ~left_out
        odds.append(odds_unseen(pictures, right, left_out)[counted])
        shown.append(right[counted])
        asked.append(pictures.file[counted])
        weight, bias = learned(pictures.pooled[~left_out], right[~left_out])
        weights.append(weight)
        biases.append(bias)
    found, right = {SEEN: np.concatenate(odds)}, np.concatenate(shown)

    def scaled(on: np.ndarray) -> PairFit:
        return fit_pairs(
            {SEEN: found[SEEN][on]}, right[on], np.ones(int(on.sum())), PairFit({}, 0.0), STRENGTH
        )

    said = unseen(scaled, found, np.array([share(name, FOLDS) for name in np.concatenate(asked)]))
    scale = scaled(np.ones(len(right), bool))
    tensors = {
        f"{tower}.weight": (np.stack(weights, 1) * scale.weights[SEEN]).astype(np.float16),
        f"{tower}.bias": (np.array(biases) * scale.weights[SEEN] + scale.bias).astype(np.float32),
    }
    save_file(tensors, ASSETS / FILE, {"names": json.dumps(names)})
    of = np.repeat(names, [len(one) for one in shown])
    person = of == PERSON
    said[person] = fit_person(np.concatenate(asked)[person], said[person], right[person], folder)
    for name in names:
        sure = (of == name) & (said >= 0.8)
        print(
            f"{name}: shown in {right[of == name].sum()}; {right[sure].sum()} of {sure.sum()} that claim 80 %"
        )
    loss = -np.log(np.where(right, said, 1 - said)).mean()
    print(f"things: scale {scale.weights[SEEN]:.2f}, bias {scale.bias:.2f}, log loss {loss:.4f}")
    return said, right
