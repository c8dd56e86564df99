"""Captions without a network that writes: what the classifier sees and what people confirmed, or none.

Nothing is generated and nothing is joined. What the picture tower sees has the confidence of its own
classifier, calibrated on pictures that people looked at (seen.py); a confirmed text is judged as any text is,
at one right text in as many as there are to choose from. Where both say the same it is said once, with the
surer of the two. What nothing is certain of is not proposed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
from scipy.special import expit

from mmdemo.models.aligner import HeadAligner
from mmdemo.models.calibration import BASE_RATE
from mmdemo.models.captioning.agreement import LIKELY, PERHAPS, SURE
from mmdemo.models.captioning.seen import has_classifier, seen_captions, words
from mmdemo.models.protocols import Caption, TextTower

if TYPE_CHECKING:
    from PIL import Image

LABELLED = 20  # confirmed texts that are judged, nearest first
NONE_FITS = "No caption I know fits. Write one?"


@dataclass(frozen=True)
class Known:
    """What people confirmed of media."""

    nearest: Sequence[str] = ()  # texts of others, those that fit best first
    texts: int = 0  # how many there are to choose from
    own: Sequence[str] = ()  # texts of this very one
    refused: Sequence[str] = ()  # of this one, with which they disagreed


def how_sure(probability: float) -> str:
    """The probability in a word."""
    for bound, word in ((SURE, "sure"), (LIKELY, "likely"), (PERHAPS, "perhaps")):
        if probability >= bound:
            return word
    return "a guess"


def propose_captions(
    aligner: HeadAligner,
    features: np.ndarray,
    known: Known,
    count: int = 5,
    written: str = "",
    picture: Callable[[], Image.Image | None] | None = None,
) -> list[Caption]:
    """At most `count` captions of one picture that are likelier right than wrong, best first; none where
    nothing is.

    Args:
        aligner: the version that judges.
        features: (F,) of the picture.
        known: what people confirmed.
        count: how many to return.
        written: what a captioner wrote, which comes first whatever its score.
        picture: gives the picture itself, in which faces are looked for, or None where it cannot be had; it
            is called at most once, where a face could make a person likely.
    """
    found: dict[str, Caption] = {}
    for caption in [
        *([Caption(written, judged(aligner, features, [written])[0], "written")] if written else []),
        *(Caption(text, 1.0, "confirmed") for text in known.own),
        *_labelled(aligner, features, known),
        *(
            seen_captions(aligner, features, picture)
            if has_classifier(aligner)
            else _classes_of(aligner, features)
        ),
    ]:
        key = _key(caption.text)
        before = found.get(key)
        found[key] = replace(before, score=max(before.score, caption.score)) if before else caption
    refused = {_key(text) for text in known.refused}
    kept = [
        c for key, c in found.items() if key not in refused and (c.score >= PERHAPS or c.source == "written")
    ]
    return sorted(kept, key=lambda c: (c.source != "written", -c.score))[:count]


def judged(aligner: HeadAligner, features: np.ndarray, texts: Sequence[str], among: int = 1) -> list[float]:
    """The probability that each text fits (F,) features, where it was chosen among so many."""
    return _chances(aligner, features, aligner.text_vectors(list(texts)), among)


def chosen(odds: np.ndarray, among: int) -> np.ndarray:
    """The probability of texts with (N,) log-odds at one right in five, where one in so many is."""
    return np.asarray(expit(odds - np.log(max(1.0, (among - 1) * BASE_RATE / (1 - BASE_RATE)))))


def _chances(aligner: HeadAligner, features: np.ndarray, vectors: np.ndarray, among: int) -> list[float]:
    odds = aligner.judge.log_odds(features[None], vectors)[0]
    return [round(float(p), 4) for p in chosen(odds, among)]


def _key(text: str) -> str:
    """What two captions that say the same have in common."""
    return text.casefold().strip(" .").removeprefix("a ").removeprefix("an ")


def _labelled(aligner: HeadAligner, features: np.ndarray, known: Known) -> list[Caption]:
    texts = [text for text in known.nearest[:LABELLED] if not aligner.cannot_tell(text)]
    said = judged(aligner, features, texts, known.texts) if texts else []
    return [Caption(text, p, "labelled") for text, p in zip(texts, said, strict=True)]


def _classes_of(aligner: HeadAligner, features: np.ndarray) -> list[Caption]:
    """The classes that fit by the shared space alone, of towers without a classifier: one of a thousand."""
    tower, texts = aligner.towers.text, [word.text for word in words()]
    if tower not in _class_vectors:
        _class_vectors[tower] = aligner.text_vectors(texts)
    said = _chances(aligner, features, _class_vectors[tower], len(texts))
    return [Caption(text, p, "class") for text, p in zip(texts, said, strict=True) if p >= PERHAPS]


_class_vectors: WeakKeyDictionary[TextTower, np.ndarray] = WeakKeyDictionary()  # encoded once: 1,000 texts
