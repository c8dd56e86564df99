"""Praat's TextGrid, in its long and its short text form, read as Praat does: only numbers that stand alone
and what is in quotes count, and so both forms are one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mmdemo.errors import UserError

TOKEN = re.compile(r'"[^"]*(?:""[^"]*)*"|(?<!\S)[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d{1,3})?(?!\S)|<exists>')
SILENCES = frozenset(("", "sil", "sp", "<sil>", "<eps>", "<p:>"))  # of the aligners
# By which a tier is chosen: the first of phrases, else of words, else the first that is none of sounds.
PHRASES = re.compile(r"phrase|utter|sentence|transcri|\btext", re.IGNORECASE)
WORDS = re.compile(r"word|\bort\b|\bwrd", re.IGNORECASE)
OTHERS = re.compile(r"phon|\bsyll|\bkan\b|\bmau\b|tone|note|comment", re.IGNORECASE)


@dataclass(frozen=True)
class _Tier:
    name: str
    intervals: list[tuple[float, float, str]]  # start and end in seconds, and the text; none without one


def read_textgrid(text: str, note: Callable[[str], None]) -> Iterator[tuple[float, float, str]]:
    """Start, end and text of the intervals of one tier; those that are empty or silent are left out.

    Args:
        text: of the file.
        note: is told where other tiers with texts were left out.

    Raises:
        UserError: it is no TextGrid in text, or is damaged.
    """
    tiers = [tier for tier in _tiers(text) if tier.intervals]
    if len(tiers) > 1:
        note("Of a TextGrid with several tiers one is read: that of phrases, or else of words.")
    if tiers:
        yield from _chosen(tiers).intervals


def _chosen(tiers: list[_Tier]) -> _Tier:
    ways: tuple[Callable[[str], object], ...] = (
        PHRASES.search,
        WORDS.search,
        lambda name: not OTHERS.search(name),
    )
    return next((tier for way in ways for tier in tiers if way(tier.name)), tiers[0])


def _tiers(text: str) -> Iterator[_Tier]:
    """The tiers of intervals."""
    tokens = _Tokens(text)
    if not tokens.skip_past('"TextGrid"'):
        raise UserError("It is no TextGrid in Praat's text form.", "Save it in Praat as a text file.")
    tokens.span()
    tokens.skip_past("<exists>")
    for _ in range(tokens.count()):
        kind, name = tokens.quoted(), tokens.quoted()
        tokens.span()
        if kind == "IntervalTier":
            found = [(*tokens.span(), tokens.quoted()) for _ in range(tokens.count())]
            said = [(start, end, " ".join(words.split())) for start, end, words in found]
            yield _Tier(name, [one for one in said if one[2].lower() not in SILENCES])
        else:
            for _ in range(tokens.count()):
                tokens.number()
                tokens.quoted()


class _Tokens:
    """The numbers and quoted texts of a file, one after the other."""

    def __init__(self, text: str) -> None:
        self._found = (match[0] for match in TOKEN.finditer(text))

    def skip_past(self, token: str) -> bool:
        """Leave out all up to a token and it, too; False where it does not come."""
        return token in self._found

    def number(self) -> float:
        """The next, which must be a number."""
        token = next(self._found, "")
        value = float(token) if token and token[0] not in '"<' else math.nan
        if not math.isfinite(value):
            raise UserError("It is a TextGrid that ends too soon or is damaged.", "Save it in Praat again.")
        return value

    def span(self) -> tuple[float, float]:
        """The next two, which must be numbers: a start and an end."""
        return self.number(), self.number()

    def count(self) -> int:
        """The next, which must be a whole number."""
        return int(self.number())

    def quoted(self) -> str:
        """The next, which must be a text in quotes."""
        token = next(self._found, "")
        if not token.startswith('"'):
            raise UserError("It is a TextGrid that ends too soon or is damaged.", "Save it in Praat again.")
        return token[1:-1].replace('""', '"')
