"""What does not work with the words of a query: what is nearest to them then has no number."""

from __future__ import annotations

from mmdemo.models.aligner import HeadAligner

NO_WORD = "There is no word in it to look for. Write what it should show."


def doubt_of(aligner: HeadAligner, text: str) -> str:
    """One sentence, where a text holds no word, or what the model does not understand or read; else empty."""
    if not any(c.isalnum() for c in text):
        return NO_WORD
    return aligner.cannot_tell(text)
