"""What a person can say of a pair: one record a kind, which store, queue, training, exports and page ask.

A package adds a kind of its own by `LABEL_KINDS.add` (see mmdemo/registry.py) and has with it a button and a
key in the Label tab, counts, filters, a place in imports and exports, and its meaning for training:

    PARTLY = LabelKind("partly", "Partly", "a part of the text fits", keys=("KeyP",))
    LABEL_KINDS.add(PARTLY.name, PARTLY)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mmdemo.errors import RegistryError
from mmdemo.records import require_fields
from mmdemo.registry import Registry

Training = Literal["positive", "negative", "none"]
UNDO = "undo"  # the word of the log's entries that take a label back; nobody sends it as a label
UNLABELLED = "unlabelled"  # what a pair without a label in force is called where verdicts are listed
TAB_KEYS = frozenset({"KeyE", "KeyS", "KeyZ", "KeyR", "KeyT", "KeyW", "Escape"})  # the Label tab's own
TAKEN = frozenset(  # what stands beside the kinds' names in filters, manifests and counts
    {
        UNDO,
        UNLABELLED,
        "all",
        "labelled",
        "hidden",
        "unpaired",
        "waiting",
        "none",
        "pairs",
        "train",
        "validation",
        "held_out",
        "held-out",
    }
)


@dataclass(frozen=True)
class LabelKind:
    """One kind of label: what it is called, how it is given, and what it means.

    Raises:
        RegistryError: a name that cannot be stored or means something else already.
    """

    name: str  # as it is stored, sent and exported; 32 characters at most
    title: str  # on its button
    about: str  # what it says of the pair's text, in the help on keys: "the text fits"
    keys: tuple[str, ...] = ()  # KeyboardEvent.code; the first one stands on the button
    tone: Literal["good", "bad", "neutral"] = "neutral"  # how the page colours it
    sign: str = ""  # the mark that stands beside an answer to say it at once; empty: none
    training: Training = "none"  # positive: the text belongs to the item; negative: it does not
    settles: bool = True  # whether the pair has had its turn in the queue

    def __post_init__(self) -> None:
        require_fields(self)
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,31}", self.name):
            raise RegistryError(
                f"{self.name!r} is no name for a label kind.",
                "Use at most 32 of a-z, 0-9 and -, a letter first.",
            )
        if self.name in TAKEN:
            raise RegistryError(
                f"{self.name!r} means something else already.",
                f"Choose another name than: {', '.join(sorted(TAKEN))}.",
            )


class LabelKinds(Registry[LabelKind]):
    """The table of kinds, in which no key stands twice."""

    def _check(self, entry: LabelKind) -> None:
        keys = {key: kind.name for kind in self._entries.values() for key in kind.keys}
        for key in entry.keys:
            if key in keys or key in TAB_KEYS:
                by = keys.get(key, "the Label tab")
                raise RegistryError(
                    f"The key {key} of the label kind {entry.name!r} is taken by {by}.",
                    f"Choose another one than: {', '.join(sorted({*keys, *TAB_KEYS}))}.",
                )


LABEL_KINDS = LabelKinds("verdict", LabelKind, [__name__])
MATCH, MISMATCH, UNSURE = BUILT_IN = (
    LabelKind(
        "match", "Fits", "the text fits", ("KeyM", "ArrowRight"), tone="good", sign="✓", training="positive"
    ),
    LabelKind(
        "mismatch",
        "Doesn\u2019t fit",
        "it does not",
        ("KeyX", "ArrowLeft"),
        tone="bad",
        sign="✗",
        training="negative",
    ),
    LabelKind("unsure", "Unsure", "unsure", ("KeyU", "ArrowDown")),
)
for _kind in BUILT_IN:
    LABEL_KINDS.add(_kind.name, _kind)


def training_of(verdict: str | None) -> Training:
    """What a verdict means for training; nothing where there is none, or whoever brought its kind is gone."""
    return LABEL_KINDS.get(verdict).training if verdict in LABEL_KINDS and verdict else "none"


def names_of(*meanings: Training) -> Sequence[str]:
    """The names of the kinds that mean one of these."""
    return [kind.name for kind in LABEL_KINDS.values() if kind.training in meanings]
