"""Build assets/class_vectors.*: the 1000 ImageNet classes in MiniLM's space, and the base calibrations.

    python assets/build_class_vectors.py [--wordnet /usr/share/wordnet] [--calibrations]

A class vector is the mean of six vectors: the name, "a photo of a NAME", the mean of the WordNet lemmas,
the gloss, "NAME, a kind of HYPERNYM" and "NAME: GLOSS". Names come from torchvision, lemmas and glosses
from timm's tables, the hypernym from WordNet 3.0 (Debian: wordnet-base). The calibration of each preset
is fitted on the `train` rows of assets/clipart: every row with its own text and with four random others,
for a probability is that of one right text in five. With --calibrations the vectors stay as they are.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mmdemo.media.image import decode_image
from mmdemo.models.calibration import Calibration, fit_calibration
from mmdemo.models.device import decide_compute
from mmdemo.models.encoders.efficientnet_minilm import EfficientNetTower, MiniLMTower, load_class_vectors
from mmdemo.models.presets import PRESETS
from mmdemo.settings import ASSETS

MISMATCHES = 4  # beside each match


def hypernyms(wordnet: Path) -> dict[str, str]:
    """From a noun's WordNet 3.0 offset to the first lemma of its first hypernym."""
    first_lemma: dict[str, str] = {}
    parent: dict[str, str] = {}
    for line in (wordnet / "data.noun").read_text(encoding="latin-1").splitlines():
        if line.startswith(" "):
            continue
        field = line.split("|")[0].split()
        words = int(field[3], 16)
        first_lemma[field[0]] = field[4].replace("_", " ")
        pointers = field[5 + 2 * words :]
        for symbol, target in zip(pointers[0::4], pointers[1::4], strict=False):
            if symbol in {"@", "@i"}:
                parent.setdefault(field[0], target)
    return {offset: first_lemma[up] for offset, up in parent.items()}


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows of unit length."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def build_vectors(tower: MiniLMTower, wordnet: Path) -> tuple[list[str], np.ndarray]:
    """The class names and their (1000, 384) vectors."""
    import timm.data
    from torchvision.models._meta import _IMAGENET_CATEGORIES

    tables = Path(timm.data.__file__).parent / "_info"
    synsets = (tables / "imagenet_synsets.txt").read_text().split()
    lemmas = dict(
        line.split("\t") for line in (tables / "imagenet_synset_to_lemma.txt").read_text().splitlines()
    )
    glosses = dict(
        line.split("\t") for line in (tables / "imagenet_synset_to_definition.txt").read_text().splitlines()
    )
    above = hypernyms(wordnet)
    names = list(_IMAGENET_CATEGORIES)
    lemma_lists = [lemmas[s].split(", ") for s in synsets]
    flat = tower.encode([lemma for row in lemma_lists for lemma in row])
    ends = np.cumsum([len(row) for row in lemma_lists])
    parts = [
        tower.encode(names),
        tower.encode([f"a photo of a {n}" for n in names]),
        np.stack([part.mean(0) for part in np.split(flat, ends[:-1])]),
        tower.encode([glosses[s] for s in synsets]),
        tower.encode([f"{n}, a kind of {above[s[1:]]}" for n, s in zip(names, synsets, strict=True)]),
        tower.encode([f"{n}: {glosses[s]}" for n, s in zip(names, synsets, strict=True)]),
    ]
    return names, unit(np.sum(parts, axis=0))


def base_calibration(media: np.ndarray, text: np.ndarray) -> Calibration:
    """The scale and bias of N pairs' (N, D) unit vectors, each match beside four random mismatches."""
    similarity = media @ text.T  # (N, N)
    rows = np.arange(len(media))
    away = np.random.default_rng(0).integers(1, len(rows), (MISMATCHES, len(rows)))
    other = np.take_along_axis(similarity.T, (rows + away) % len(rows), axis=0)  # (4, N)
    values = np.concatenate([similarity[rows, rows], other.ravel()])
    matches = np.repeat([1.0, 0.0], [len(rows), other.size])
    return fit_calibration(values, matches, Calibration(10.0, -2.0), strength=0.0)


def base_calibrations() -> dict[str, dict[str, float]]:
    """The calibration of each preset's base version, by the class vectors on disk."""
    compute, classes = decide_compute("cpu"), load_class_vectors()
    with (ASSETS / "clipart" / "metadata.csv").open(encoding="utf-8") as f:
        rows = [row for row in csv.DictReader(f) if row["split"] == "train"]
    text = MiniLMTower(compute, classes.mean).encode([row["text"] for row in rows])
    pictures = [decode_image(ASSETS / "clipart" / row["file_name"]) for row in rows]
    found: dict[str, dict[str, float]] = {}
    for preset in (p for p in PRESETS.values() if p.loader == "efficientnet-minilm"):
        tower = EfficientNetTower(preset, compute, classes)
        features = np.concatenate([tower.encode(pictures[i : i + 32]) for i in range(0, len(pictures), 32)])
        fitted = base_calibration(features[:, :384], text)
        found[preset.id] = {"scale": round(fitted.scale, 4), "bias": round(fitted.bias, 4)}
    return found


def main() -> None:
    """Write class_vectors.safetensors and class_vectors.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--wordnet", type=Path, default=Path("/usr/share/wordnet"))
    parser.add_argument("--calibrations", action="store_true", help="fit the calibrations only")
    options = parser.parse_args()
    facts_file = ASSETS / "class_vectors.json"
    if not options.calibrations:
        tower = MiniLMTower(decide_compute("cpu"), np.zeros(384, np.float32))
        names, vectors = build_vectors(tower, options.wordnet)
        save_file({"vectors": vectors.astype(np.float16)}, ASSETS / "class_vectors.safetensors")
        facts = {"names": [n.lower() for n in names], "calibration": {}}
        facts_file.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    facts = json.loads(facts_file.read_text(encoding="utf-8")) | {"calibration": base_calibrations()}
    facts_file.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
