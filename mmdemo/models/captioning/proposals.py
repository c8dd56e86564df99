"""Captions without a network that writes: proposed from what is seen and labelled, ranked by alignment.

Nothing is generated freely. The candidates are the classes that the picture tower sees, the texts that
people confirmed, and pairs of classes joined by "and"; the aligner's calibrated probability ranks them. A
joined text is kept only when it fits better than either part. With every label there are more texts to
choose from and, after a fine-tuning, a better ranking.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from weakref import WeakKeyDictionary

import numpy as np

from mmdemo.models.aligner import HeadAligner, encode_texts
from mmdemo.models.encoders.efficientnet_minilm import load_class_vectors
from mmdemo.models.protocols import Caption, TextTower

CLASSES = 8  # the likeliest classes that are proposed
JOINED = 3  # of which this many are tried in pairs
LABELLED = 20  # confirmed texts that are proposed, nearest first
RENAMED = {"nipple": "baby bottle teat"}  # ImageNet's name of it is read otherwise on a page
SURE, LIKELY, PERHAPS = 0.8, 0.65, 0.5  # probabilities


def how_sure(probability: float) -> str:
    """The probability in a word."""
    for bound, word in ((SURE, "sure"), (LIKELY, "likely"), (PERHAPS, "perhaps")):
        if probability >= bound:
            return word
    return "a guess"


def propose_captions(
    aligner: HeadAligner, features: np.ndarray, labelled: Sequence[str], count: int = 5, written: str = ""
) -> list[Caption]:
    """The `count` best captions of one picture, best first.

    Args:
        aligner: the version that ranks.
        features: (F,) of the picture.
        labelled: texts that people confirmed for pictures, nearest first; may be empty.
        count: how many to return.
        written: what a captioner wrote, which comes first whatever its score.
    """
    sources: dict[str, str] = {text: "labelled" for text in labelled[:LABELLED]}
    if written:
        sources[written] = "written"
    tower = getattr(aligner.towers.media, "frames", aligner.towers.media)  # of a video, what sees its frames
    if hasattr(tower, "likely_classes"):  # it has a classifier of its own
        seen = [_with_article(name) for name in tower.likely_classes(features, CLASSES)]
    else:
        names = _class_texts(aligner.towers.text)
        near = names.vectors @ normalised(features[: aligner.dim].astype(np.float32))
        seen = [names.texts[i] for i in np.argsort(-near)[:CLASSES]]
    for text in seen:
        sources.setdefault(text, "class")
    joined = {f"{a} and {b}": (a, b) for a, b in combinations(seen[:JOINED], 2)}
    texts = [*sources, *joined]
    score = {s.text: s.probability for s in aligner.scores(features, texts)}
    for text, parts in joined.items():
        if score[text] > max(score[part] for part in parts):
            sources[text] = "combined"
    best = sorted(sources, key=lambda text: (text != written, -score[text]))[:count]
    return [Caption(text, score[text], sources[text]) for text in best]


@dataclass(frozen=True)
class _ClassTexts:
    texts: tuple[str, ...]
    vectors: np.ndarray  # (1000, D) unit vectors


_classes_of: WeakKeyDictionary[TextTower, _ClassTexts] = WeakKeyDictionary()


def _class_texts(tower: TextTower) -> _ClassTexts:
    """The ImageNet classes as texts in the space of a text tower, encoded once: 1,000 texts."""
    if tower not in _classes_of:
        texts = tuple(_with_article(name) for name in load_class_vectors().names)
        _classes_of[tower] = _ClassTexts(texts, encode_texts(tower, texts))
    return _classes_of[tower]


def normalised(vector: np.ndarray) -> np.ndarray:
    """(D,) of unit length."""
    return vector / max(float(np.linalg.norm(vector)), 1e-12)


def _with_article(name: str) -> str:
    name = RENAMED.get(name, name)
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"
