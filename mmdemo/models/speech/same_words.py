"""Which words of a text are those of another, in their order, in a bounded time."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from itertools import accumulate

MOST_LOOKED_AT = 20_000_000  # pairs of equal words: seconds; those of an hour of speech are a third of it


class SameWords(difflib.SequenceMatcher[str]):
    """As difflib's, which looks at each word of one text with all that equal it in the other, and again for
    each stretch that the two have in common. Where that would be too much, as of texts that repeat few words,
    what is left counts as different.
    """

    def __init__(self, wanted: Sequence[str], heard: Sequence[str]) -> None:
        super().__init__(None, wanted, heard, autojunk=False)
        places: dict[str, list[int]] = self.b2j  # type: ignore[attr-defined]
        self._before = list(accumulate((1 + len(places.get(word, ())) for word in wanted), initial=0))
        self._words = len(wanted)
        self._left = MOST_LOOKED_AT

    def find_longest_match(
        self, alo: int = 0, ahi: int | None = None, blo: int = 0, bhi: int | None = None
    ) -> difflib.Match:
        """See `difflib.SequenceMatcher.find_longest_match`."""
        self._left -= self._before[self._words if ahi is None else ahi] - self._before[alo]
        if self._left < 0:
            return difflib.Match(alo, blo, 0)
        return super().find_longest_match(alo, ahi, blo, bhi)
