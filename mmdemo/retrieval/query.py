"""What to look for; importable without PyTorch, as the page is up before that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mmdemo.store.facets import EVERYTHING, Choice

MAX_K = 200
SORTS = ("best", "unsure", "newest", "name")  # the orders of answers: the best, or the least certain first


@dataclass(frozen=True)
class Query:
    """What to look for and where."""

    text: str = ""
    medium: Any = None  # a decoded picture or waveform; with a text too, the two vectors are added
    item: str | None = None  # an item of the collection instead of a medium
    k: int = 10
    target: str = "media"  # media or text
    state: str = ""  # only items with a pair in this label state: the name of a kind, or unlabelled
    source: str = ""  # only items from this source
    everything: bool = False  # also what does not fit
    given: bool = (
        True  # whether the texts and labels that people gave count; not where they are what is sought
    )
    offset: int = 0  # answers that are passed over, of pages of k each
    sort: str = SORTS[0]
    choice: Choice = EVERYTHING  # only items that it leaves
    feedback: bool = True  # whether what people said of its answers moves them
    only: Any = None  # the items that its filters leave, once they are known; None: all
    judged: Any = None  # what people said of its answers, once it is known
    vector: Any = None  # (D,) its vector, once it is known
    words: Any = None  # (1, D) that of its words by the text tower, once it is known
