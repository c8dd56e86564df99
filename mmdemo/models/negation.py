"""Whether a text denies something, which no text tower here reads.

“not a cat” and “no cat” lie beside “a cat” in the shared space. Of 280 drawings 17.9 % are said to fit
“not X” and 18.2 % “X”, and the drawing of X is likelier than another one as often (80.3 and 80.1 %):
python benchmarks/negation.py. CLIP and its like are no better (Alhamoud et al. 2025, arXiv:2501.09425).
"""

from __future__ import annotations

import re

# Words by themselves: forget-me-not and a no-entry sign are names. No. 5 is a number.
_DENIES = re.compile(
    r"(?<![\w-])(?:not|no(?!\.? ?\d)|none|never|nobody|nothing|nowhere|neither|nor|without|cannot"
    r"|\w+n['\u2019]t)(?![\w-])",
    re.IGNORECASE,
)


def negation_in(text: str) -> str:
    """The first word of a text that denies something, as it stands there; empty: none does."""
    found = _DENIES.search(text)
    return found[0] if found else ""


def negation_note(text: str) -> str:
    """A sentence, where a text denies something; else empty."""
    word = negation_in(text)
    return (
        f"The model doesn't read “{word}”: it answers as if that weren't there. Write what there is instead."
        if word
        else ""
    )
