"""What a search answers with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

from mmdemo.label_kinds import training_of
from mmdemo.retrieval.candidates import Answer
from mmdemo.store.pairs import PairView
from mmdemo.store.texts import text_key

Fit = Literal["best", "weaker", "none"]
BEST, WEAKER = 0.5, 0.3  # the least probability of either
NEAREST = 3  # answers that are shown where none fits


def fit_of(probability: float) -> Fit:
    """What is said of an answer with that probability."""
    return "best" if probability >= BEST else "weaker" if probability >= WEAKER else "none"


def cut(results: Sequence[Result], no_match: bool) -> tuple[Result, ...]:
    """The answers up to where matches end; what somebody has judged stays, to be judged otherwise.

    Where nothing matches, the nearest few.
    """
    nearest = {r.item for r in results[:NEAREST]} if no_match else set()
    fits = {r.item for r in results if r.fit != "none"} if not no_match else set()
    return tuple(r for r in results if r.item in nearest | fits or r.verdict is not None)


@dataclass(frozen=True)
class Result:
    """One answer."""

    item: str
    name: str
    text: str  # a confirmed text of the item, else one it came with
    score: float  # cosine
    probability: float | None  # calibrated; answers stand in its order. None: likes have none
    verdict: str | None  # of a label on this item with the query's own words
    start: float | None = None  # seconds, where the query was found in sound or video
    end: float | None = None
    label: int | None = None  # the label in force that says the verdict
    found_by: str = ""  # words, of a text that holds all that were asked for; empty: by likeness alone
    said: float | None = None  # of a recording: the probability that the text was said
    about: float | None = None  # and that it is what somebody speaks about
    doubt: bool = False  # whether nothing can be told of the query; then there is no probability

    @property
    def fit(self) -> Fit:
        """How well it fits; what a person has judged is as they said."""
        by_number: Fit = "none" if self.doubt else "best"
        if self.probability is not None:
            by_number = fit_of(self.probability)
        judged: dict[str, Fit] = {"positive": "best", "negative": "none", "none": by_number}
        return judged[training_of(self.verdict)]


@dataclass(frozen=True)
class Results:
    """The answers, best first, and whether any is good enough."""

    version: str
    results: tuple[Result, ...]
    stale_share: float
    no_match: bool  # whether none is good enough; the nearest are there all the same
    measure: str = ""  # said or about: which of a recording's two probabilities orders the answers
    note: str = ""  # what does not work with this query or these answers
    ticked: int = 0  # items that people ticked for the query's words, which moved the answers
    crossed: int = 0  # and those that they crossed

    def as_json(self) -> dict[str, Any]:
        """The JSON of `search`."""
        return {
            "model": self.version,
            "no_match": self.no_match,
            "stale": round(self.stale_share, 3),
            "measure": self.measure,
            "note": self.note,
            "ticked": self.ticked,
            "crossed": self.crossed,
            "results": [
                {
                    "item": r.item,
                    "file": r.name,
                    "text": r.text,
                    "score": round(r.score, 4),
                    "probability": None if r.probability is None else round(r.probability, 4),
                    "start": r.start,
                    "end": r.end,
                    "verdict": r.verdict,
                    "fit": r.fit,
                    "found_by": r.found_by,
                    "label": r.label,
                    "said": None if r.said is None else round(r.said, 4),
                    "about": None if r.about is None else round(r.about, 4),
                }
                for r in self.results
            ],
        }


def shown_with(pairs: Sequence[PairView], asked: str) -> tuple[str, PairView | None]:
    """The text to show with an item, and the pair whose label is what its marks say: with the query's words,
    and where there are none with the text that is shown, which may be one that was crossed.

    Args:
        pairs: of the item, oldest first.
        asked: the key of the query's words; empty: there are none.
    """
    text = best_text(pairs)
    if not text and not asked:
        text = next((p.text for p in reversed(pairs) if p.training == "negative" and not p.hidden), "")
    key = asked or text_key(text)
    return text, next((p for p in pairs if p.label and text_key(p.text) == key), None)


def of_texts(found: Iterable[tuple[PairView, str, Answer]], own: Sequence[PairView]) -> list[Result]:
    """The results of a search for texts.

    Args:
        found: each pair with its text and its place.
        own: the pairs of the item that is searched by, whose labels say what people think of the texts.
    """
    said = {text_key(pair.text): pair for pair in own if pair.label}
    results = []
    for pair, text, answer in found:
        label = said.get(text_key(text))
        verdict = label.verdict if label else None
        number = label.label if label else None
        results.append(Result(pair.item, pair.name, text, answer.near, answer.number, verdict, label=number))
    return results


def best_text(pairs: Sequence[PairView]) -> str:
    """The text to show with an item: a confirmed one, else one it came with, else none; none is hidden. That
    of the whole comes before that of a span, and a word that was moved is none.
    """
    pairs = sorted((p for p in pairs if not p.hidden and not p.is_word), key=lambda p: p.start_s is not None)
    came_with = (p for p in pairs if p.verdict is None and p.is_own)
    pair = next(chain((p for p in pairs if p.is_confirmed), came_with), None)
    return pair.final_text if pair else ""
