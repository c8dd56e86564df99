"""What a picture tower's own classifier sees, as captions: its classes, and what several have in common.

A drawing that is half a basset and half a beagle is surely a dog: to say less where less is certain is
"Hedging your bets" (Deng et al. 2012). How often such a caption is right was fitted on drawings that people
looked at (assets/fit_captions.py). To ask the shared space alone whether the classes fit that the picture's
vector is made of would be to ask the same witness twice: it is one witness of several.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from mmdemo.models.aligner import HeadAligner
from mmdemo.models.calibration import OVER_MEDIA, OVER_TEXTS, SIMILARITY, PairFit
from mmdemo.models.captioning.agreement import SURE, Agreed
from mmdemo.models.heads.residual import Projection
from mmdemo.models.judge import NEAREST_MEDIA, Judge, nearest
from mmdemo.models.protocols import Caption
from mmdemo.settings import ASSETS

WORDS = ASSETS / "caption_words.json"
FIT = ASSETS / "captions.json"
LEAST_SEEN = 0.35  # what the classifier gives less was not judged, and is not said
SEEN = "seen"  # log-odds of the classifier's probability
KIND = "kind"  # 1 of what several classes have in common
ELSEWHERE = "elsewhere"  # log of what it gives pictures that have nothing to do with it: a hook is on all


@dataclass(frozen=True)
class Word:
    """A caption and the classes that it is true of."""

    text: str
    classes: tuple[int, ...]  # of the 1,000


@dataclass(frozen=True)
class ShippedFit:
    """How often such captions are right, before anybody here has said so."""

    fit: PairFit
    agreed: tuple[Agreed, ...]  # by what was said, counted on pictures that the fit had not seen


@cache
def words() -> tuple[Word, ...]:
    """The classes by names that can be read, then what several have in common."""
    from mmdemo.models.encoders.efficientnet_minilm import load_class_vectors

    told = json.loads(WORDS.read_text(encoding="utf-8"))
    names = [told["names"].get(name, name) for name in load_class_vectors().names]
    single = [Word(_with_article(name), (i,)) for i, name in enumerate(names)]
    return (*single, *(Word(text, tuple(classes)) for text, classes in told["groups"].items()))


@cache
def shipped() -> ShippedFit:
    """The fit that ships."""
    row: dict[str, Any] = json.loads(FIT.read_text(encoding="utf-8"))
    return ShippedFit(PairFit.of(row["fit"]), tuple(Agreed(**one) for one in row["agreed"]))


def has_classifier(aligner: HeadAligner) -> bool:
    """Whether its media tower sees classes, and the background to judge them by is there."""
    grounds = aligner.towers.grounds
    return grounds.classes is not None and grounds.media is not None and grounds.texts is not None


def seen_words(aligner: HeadAligner, features: np.ndarray) -> list[Word]:
    """What (F,) features are likely of: the likeliest class and all groups that reach the least."""
    classes = aligner.towers.grounds.classes
    assert classes is not None
    likely = np.asarray(classes(features[None]))[0]
    single = words()[int(likely.argmax())]
    groups = [word for word in words()[len(likely) :] if likely[list(word.classes)].sum() >= LEAST_SEEN]
    return [single, *groups] if likely.max() >= LEAST_SEEN else groups


def evidence(aligner: HeadAligner, features: np.ndarray, of: list[Word]) -> dict[str, np.ndarray]:
    """What is known of (F,) features with W words: (W,) of each name. The base version is asked, whatever the
    head has learned: it is its fit.
    """
    grounds = aligner.towers.grounds
    assert grounds.classes is not None and grounds.media is not None
    likely = np.asarray(grounds.classes(features[None]), dtype=np.float64)  # (1, 1000)
    background = np.asarray(grounds.classes(grounds.media), dtype=np.float64)  # (C, 1000)
    judge = Judge(grounds, Projection(aligner.dim, None), PairFit({}, 0.0))
    pair = judge.evidence(features[None], aligner.text_vectors([word.text for word in of]))

    def total(table: np.ndarray) -> np.ndarray:  # (W, N)
        return np.stack([table[:, list(word.classes)].sum(1) for word in of])

    seen = total(likely)[:, 0].clip(1e-4, 0.999)
    return {
        SEEN: np.log(seen / (1 - seen)),
        KIND: np.array([float(len(word.classes) > 1) for word in of]),
        ELSEWHERE: np.log(nearest(total(background), NEAREST_MEDIA) + 1e-4),
        SIMILARITY: pair[SIMILARITY][0],
        OVER_TEXTS: pair[OVER_TEXTS][0],
        OVER_MEDIA: pair[OVER_MEDIA][0],
    }


def seen_captions(aligner: HeadAligner, features: np.ndarray) -> list[Caption]:
    """What (F,) features show by the tower's classifier, each with the chance that a person would agree.

    Where it is sure of an electric guitar it need not say that it is a guitar.
    """
    found = seen_words(aligner, features) if has_classifier(aligner) else []
    if not found:
        return []
    said = shipped().fit.probability(evidence(aligner, features, found))
    kept: list[Caption] = []
    sure: list[set[int]] = []
    for word, p in sorted(zip(found, said, strict=True), key=lambda one: len(one[0].classes)):
        implied = any(classes <= set(word.classes) for classes in sure)
        if not implied or word.text in {one.text for one in kept}:
            kept.append(Caption(word.text, round(float(p), 4), "class" if len(word.classes) == 1 else "kind"))
            if p >= SURE:
                sure.append(set(word.classes))
    return kept


def _with_article(name: str) -> str:
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"
