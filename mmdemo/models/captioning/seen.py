"""What a picture tower's own classifier sees, as captions: its classes, and what several have in common.

A drawing that is half a basset and half a beagle is surely a dog: to say less where less is certain is
"Hedging your bets" (Deng et al. 2012). How often such a caption is right was fitted on drawings and
photographs that people looked at (assets/fit_captions.py). To ask the shared space alone whether the classes
fit that the picture's vector is made of would be to ask the same witness twice: it is one witness of several.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import logit

from mmdemo.models.aligner import HeadAligner
from mmdemo.models.calibration import OVER_MEDIA, OVER_TEXTS, SIMILARITY, PairFit
from mmdemo.models.captioning.agreement import PERHAPS, SURE, Agreed
from mmdemo.models.heads.residual import Projection
from mmdemo.models.judge import NEAREST_MEDIA, Judge, nearest
from mmdemo.models.protocols import Caption
from mmdemo.settings import ASSETS

if TYPE_CHECKING:
    from PIL import Image

WORDS = ASSETS / "caption_words.json"
FIT = ASSETS / "captions.json"
PERSON_FIT = ASSETS / "person.json"
# What the shipped counts are of, in words.
SHIPPED_ON = (
    "those of drawings and photographs, each looked at by somebody who saw the picture, and none judged by a "
    "fit that had seen it"
)
LEAST_SEEN = 0.35  # what the classifier gives less was not judged, and is not said
SEEN = "seen"  # log-odds of the classifier's probability
KIND = "kind"  # 1 of what several classes have in common
THING = "thing"  # where the words of what is seen beside the classes come from
PERSON = "a person"  # of which a face is evidence
FACE = "face"  # log-odds of the likeliest face above those of the least, which a picture without one has: 0
LEAST_FACE, MOST_FACE = 0.7, 0.9999  # probabilities; surer ones are no surer than that
VOWELS = (*"aeio", "umb", "hour")  # what a name begins with that is heard as a vowel
ELSEWHERE = "elsewhere"  # log of what it gives pictures that have nothing to do with it: a hook is on all


@dataclass(frozen=True)
class Word:
    """A caption and the classes that it is true of."""

    text: str
    classes: tuple[int, ...]  # of the 1,000
    group: bool = False  # what classes of several names have in common


@dataclass(frozen=True)
class ShippedFit:
    """How often such captions are right, before anybody here has said so."""

    fit: PairFit
    agreed: tuple[Agreed, ...]  # by what was said, counted on pictures that the fit had not seen


@cache
def words() -> tuple[Word, ...]:
    """The classes by names that can be read, then what several have in common.

    Classes that people call the same are one word: three mushrooms are a mushroom.
    """
    from mmdemo.models.encoders.efficientnet_minilm import load_class_vectors

    told = json.loads(WORDS.read_text(encoding="utf-8"))
    groups = [Word(text, _numbers(runs), True) for text, runs in told["groups"].items()]
    named: dict[str, list[int]] = {word.text: [] for word in groups}
    for i, name in enumerate(load_class_vectors().names):
        plain = told["names"].get(str(i), told["names"].get(name, name))
        if name not in told["without_article"]:
            plain = f"{'an' if plain.startswith(VOWELS) else 'a'} {plain}"
        named.setdefault(_with_capitals(plain, told["proper"]), []).append(i)
    single = [Word(text, tuple(classes)) for text, classes in list(named.items())[len(groups) :]]
    return (*single, *groups)


@cache
def shipped() -> ShippedFit:
    """The fit that ships."""
    row: dict[str, Any] = json.loads(FIT.read_text(encoding="utf-8"))
    return ShippedFit(PairFit.of(row["fit"]), tuple(Agreed(**one) for one in row["agreed"]))


@cache
def person_fit() -> PairFit:
    """How sure it is that a person is shown, by the thing's log-odds and the likeliest face."""
    return PairFit.of(json.loads(PERSON_FIT.read_text(encoding="utf-8")))


def face_evidence(faces: np.ndarray) -> np.ndarray:
    """(N,) evidence of the (N,) probabilities of the likeliest faces; 0: none was found."""
    p = np.clip(faces, LEAST_FACE, MOST_FACE)
    return np.asarray(np.log(p / (1 - p)) - np.log(LEAST_FACE / (1 - LEAST_FACE)))


def has_classifier(aligner: HeadAligner) -> bool:
    """Whether its media tower sees classes, and the background to judge them by is there."""
    grounds = aligner.towers.grounds
    return grounds.classes is not None and grounds.media is not None and grounds.texts is not None


def seen_words(aligner: HeadAligner, features: np.ndarray) -> list[Word]:
    """What (F,) features are likely of: the likeliest class and all groups that reach the least."""
    classes = aligner.towers.grounds.classes
    assert classes is not None
    likely = np.asarray(classes(features[None]))[0]
    given = {word: float(likely[list(word.classes)].sum()) for word in words()}
    single = max((word for word in given if not word.group), key=lambda word: given[word])
    return [word for word in given if given[word] >= LEAST_SEEN and (word.group or word is single)]


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
        KIND: np.array([float(word.group) for word in of]),
        ELSEWHERE: np.log(nearest(total(background), NEAREST_MEDIA) + 1e-4),
        SIMILARITY: pair[SIMILARITY][0],
        OVER_TEXTS: pair[OVER_TEXTS][0],
        OVER_MEDIA: pair[OVER_MEDIA][0],
    }


def seen_captions(
    aligner: HeadAligner, features: np.ndarray, picture: Callable[[], Image.Image | None] | None = None
) -> list[Caption]:
    """What (F,) features show by the tower's classifier, each with the chance that a person would agree.

    Where it is sure of an electric guitar it need not say that it is a guitar. What is seen beside the
    classes, such as a person, is told by its own fit; for a person faces are looked for, where a picture can
    be had and one face in it could make a person likely.
    """
    things = aligner.towers.grounds.things
    beside = {text: float(p[0]) for text, p in things(features[None]).items()} if things else {}
    if picture is not None and PERSON in beside and _person(beside[PERSON], MOST_FACE) >= PERHAPS:
        image = picture()
        beside[PERSON] = beside[PERSON] if image is None else _person(beside[PERSON], _likeliest_face(image))
    told = [Caption(text, round(p, 4), THING) for text, p in beside.items()]
    found = seen_words(aligner, features) if has_classifier(aligner) else []
    if not found:
        return told
    said = shipped().fit.probability(evidence(aligner, features, found))
    kept: list[Caption] = []
    sure: list[set[int]] = []
    for word, p in sorted(zip(found, said, strict=True), key=lambda one: len(one[0].classes)):
        implied = any(classes <= set(word.classes) for classes in sure)
        if not implied or word.text in {one.text for one in kept}:
            kept.append(Caption(word.text, round(float(p), 4), "kind" if word.group else "class"))
            if p >= SURE:
                sure.append(set(word.classes))
    return [*kept, *told]


def _person(thing: float, face: float) -> float:
    """How likely a person is shown, by what the features alone say and by the likeliest face."""
    found = {THING: logit(np.array([thing]).clip(1e-6, 1 - 1e-6)), FACE: face_evidence(np.array([face]))}
    return float(person_fit().probability(found)[0])


def _likeliest_face(image: Image.Image) -> float:
    """The probability of the likeliest face; 0: none was found."""
    from mmdemo.models.encoders.faces import face_detector

    return max((face.probability for face in face_detector().faces(image)), default=0.0)


def _with_capitals(name: str, proper: list[str]) -> str:
    """A name whose words are written as English does."""
    capital = {word.casefold(): word for word in proper}
    return " ".join(capital.get(word, word) for word in name.split(" "))


def _numbers(runs: str) -> tuple[int, ...]:
    """The classes of runs such as "7-24 80"."""
    found: list[int] = []
    for run in runs.split():
        first, _, last = run.partition("-")
        found += range(int(first), int(last or first) + 1)
    return tuple(found)
