"""Texts: the form in which they are kept, and the key that all copies of one text share."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from typing import Literal

from mmdemo.errors import UserError

MAX_TEXT = 10_000  # characters
MOST_MARKS = 30
_TAKEN_APART = frozenset("\u0f73\u0f75\u0f81\uff9e\uff9f")  # marks only where they are taken apart
LONGEST_NAME = 200  # bytes of the name of a file; file systems take 255, and what is beside it adds to that
SHOWN_OF_ID = 12  # characters
LONGEST_SUFFIX = 12  # characters; what is longer after a dot is no suffix


def normalized(form: Literal["NFC", "NFKC", "NFKD"], text: str) -> str:
    """A text in a normal form, with at most 30 marks on a letter (UAX 15, Stream-Safe Text): Python sorts the
    marks of one in a time that grows with their square.
    """
    if text.isascii():
        return text
    kept, marks = [], 0
    for one in text:
        marks = marks + 1 if unicodedata.combining(one) or one in _TAKEN_APART else 0
        if marks <= MOST_MARKS:
            kept.append(one)
    return unicodedata.normalize(form, "".join(kept))


def clean_text(text: str) -> str:
    """The text in NFC with single blanks and no control characters.

    Raises:
        UserError: empty, or longer than MAX_TEXT characters.
    """
    kept = "".join(c if unicodedata.category(c) != "Cc" else " " for c in normalized("NFC", text))
    kept = " ".join(kept.split())
    if not kept:
        raise UserError("The text is empty.", "Write at least one word.")
    if len(kept) > MAX_TEXT:
        raise UserError(
            f"The text has {len(kept):,} characters, over the limit of {MAX_TEXT:,}.", "Shorten it."
        )
    return kept


def storable(name: str) -> str:
    """The name of a file, where bytes of it that are no characters are written as what they are."""
    return name.encode("utf-8", "backslashreplace").decode().replace("\x00", "")


# How the rest of a word begins, which recognisers give as one of its own: 12 .00, K -R -D, don 't.
_JOINS = re.compile(r"[-.,:;!?%'\u2019)\]\u2026]")


def joined(words: Iterable[str]) -> str:
    """Words as one text, with blanks where a word begins."""
    return "".join(word if _JOINS.match(word) else f" {word}" for word in words).lstrip()


def text_key(text: str) -> str:
    """SHA-256 of the text without regard to case, width and blanks: copies of one text share it."""
    folded = " ".join(normalized("NFKC", text).casefold().split())
    return hashlib.sha256(folded.encode("utf-8", "surrogatepass")).hexdigest()


def text_id(text: str) -> str:
    """The key of a text's stored vector: the SHA-256 of exactly these characters."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def short_id(item: str) -> str:
    """An item's id as a sentence shows it: hashes are known by their beginning."""
    return item if len(item) <= SHOWN_OF_ID else f"{item[:SHOWN_OF_ID]}…"


def short_name(name: str) -> str:
    """A name of a file, cut in the middle where no file system takes it: its suffix stays, and a part of its
    hash keeps it apart from others with the same beginning.
    """
    if len(name.encode("utf-8", "surrogatepass")) <= LONGEST_NAME:
        return name
    stem, dot, suffix = name.rpartition(".")
    if not stem or len(suffix) > LONGEST_SUFFIX:
        stem, dot, suffix = name, "", ""
    end = f"-{text_key(name)[:8]}{dot}{suffix}"
    room = LONGEST_NAME - len(end.encode("utf-8", "surrogatepass"))
    return stem.encode("utf-8", "surrogatepass")[:room].decode("utf-8", "ignore") + end
