"""Columns of yes and no in tables of other tools: is_train, is_rejected; and Prodigy's answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mmdemo.label_kinds import MATCH, MISMATCH, UNSURE

# The side that a column says; of fastai's tables is_valid says one too, which elsewhere means other things.
SIDES = {
    **dict.fromkeys(("is_train", "is_training", "is_training_image"), "train"),
    **dict.fromkeys(("is_val", "is_validation", "is_dev"), "val"),
    **dict.fromkeys(("is_test", "is_testing", "is_heldout", "is_held_out"), "test"),
}
FASTAI = frozenset(("fname", "is_valid"))
YES, NO = frozenset(("true", "t", "yes", "y", "1", "1.0")), frozenset(("false", "f", "no", "n", "0", "0.0"))
ANSWER = "answer"
ANSWERS = {"accept": MATCH.name, "reject": MISMATCH.name, "ignore": UNSURE.name}
FITS = frozenset(("is_accepted", "accepted", "is_match"))
FITS_NOT = frozenset(("is_rejected", "rejected"))
FLAGS = frozenset((*SIDES, "is_valid", *FITS, *FITS_NOT))


def flag_of(value: Any) -> bool | None:
    """What a cell of yes and no says; None: it is none."""
    word = str(value).strip().lower()
    return True if word in YES else False if word in NO else None


def flagged_split(line: Mapping[str, Any]) -> str:
    """The name of the split that columns such as is_train say; empty where there are none.

    Of no column that says yes: where train is none of them, the row is of it; where it is the only one, the
    row is of the test.
    """
    plain = {_plain(name): value for name, value in line.items()}
    known = SIDES | ({"is_valid": "val"} if set(plain) >= FASTAI else {})
    said = {known[name]: flag_of(value) for name, value in plain.items() if name in known}
    said = {side: yes for side, yes in said.items() if yes is not None}
    if True in said.values():
        sides = [side for side, yes in said.items() if yes]
        return sides[0] if len(sides) == 1 else ""
    if not said:
        return ""
    return "train" if "train" not in said else "test" if set(said) == {"train"} else ""


def flagged_verdict(line: Mapping[str, Any]) -> str:
    """The name of the label kind that columns such as is_rejected or Prodigy's answers say; empty where there
    are none. That something was not rejected is nobody's word on it.
    """
    for name, value in line.items():
        if isinstance(value, (dict, list)):
            continue
        column, word = _plain(name), str(value).strip().lower()
        if column == ANSWER and word in ANSWERS:
            return ANSWERS[word]
        yes = flag_of(value) if column in FITS | FITS_NOT else None
        if column in FITS and yes is not None:
            return MATCH.name if yes else MISMATCH.name
        if column in FITS_NOT and yes:
            return MISMATCH.name
    return ""


def is_answers(cells: list[str]) -> bool:
    """Whether the cells of a column are Prodigy's answers."""
    return all(cell.strip().lower() in ANSWERS for cell in cells)


def _plain(name: Any) -> str:
    return re.sub(r"[\s-]+", "_", str(name).strip().lower())
