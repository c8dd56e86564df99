"""Recordings that may say a query, by how what was heard of them sounds.

A small recogniser writes "Dogdon" for "garden": no word is right, and its meaning is another one. Both are
reduced to a rough key of sounds, in which vowels are one and voiced consonants are their voiceless twins, as
in Soundex (Russell 1918) and Metaphone (Philips 1990), and compared by the pieces of it that they share. That
makes candidates, of which the likelihood decides.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

import numpy as np
import scipy  # imports its parts when they are used

from mmdemo.store.texts import normalized

PIECES = (2, 3)  # characters of the pieces of a key
LEAST_SHARED = 0.3  # of a query's pieces; below it chance is as good
SOUNDS = tuple(
    (re.compile(pattern), sound)
    for pattern, sound in (
        (r"[^\w]|[\d_]", ""),
        ("tch|ch", "j"),
        ("sh|(?<=\\w)ti(?=o)", "$"),
        ("dg(?=[ei])", "j"),
        ("ph", "f"),
        ("gh", ""),
        ("th", "0"),
        ("^kn", "n"),
        ("^wr", "r"),
        ("x", "ks"),
        ("q", "k"),
        ("c(?=[eiy])", "s"),
        ("g(?=[eiy])", "j"),
        ("[cg]", "k"),
        ("d", "t"),
        ("b", "p"),
        ("v", "f"),
        ("z", "s"),
        ("[aeiouyhw]+", "a"),
        (r"(\w)\1+", r"\1"),
    )
)


def sound_of(text: str) -> str:
    """A rough key of how a text sounds, all its words joined: borders between words are misheard as well."""
    plain = "".join(c for c in normalized("NFKD", text.casefold()) if not unicodedata.combining(c))
    words = []
    for word in plain.split():
        for pattern, sound in SOUNDS:
            word = pattern.sub(sound, word)
        words.append(word)
    return re.sub(r"(.)\1+", r"\1", "".join(words))


def _pieces(text: str) -> set[str]:
    key = f" {sound_of(text)} "
    return {key[i : i + n] for n in PIECES for i in range(len(key) - n + 1)} if key.strip() else set()


class SoundIndex:
    """What was heard of recordings, by the pieces of its sound.

    Args:
        heard: a text for each name.
    """

    def __init__(self, heard: Mapping[str, str]) -> None:
        self.names: Sequence[str] = list(heard)
        self._row = {name: i for i, name in enumerate(self.names)}
        self._column: dict[str, int] = {}
        rows, columns = [], []
        for row, text in enumerate(heard.values()):
            for piece in _pieces(text):
                rows.append(row)
                columns.append(self._column.setdefault(piece, len(self._column)))
        shape = (len(self.names), max(1, len(self._column)))
        self._held = scipy.sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=shape)

    def shared(self, query: str) -> np.ndarray:
        """(N,) the share of a query's pieces that each text holds, 0..1."""
        wanted = _pieces(query)
        asked = np.zeros(self._held.shape[1], np.float32)
        asked[[self._column[piece] for piece in wanted if piece in self._column]] = 1.0
        return np.asarray(self._held @ asked) / max(1, len(wanted))

    def like(self, query: str, most: int) -> dict[str, float]:
        """The names whose texts sound most like a query, with the share of its pieces that they hold."""
        share = self.shared(query)
        best = [i for i in np.argsort(-share, kind="stable")[:most] if share[i] >= LEAST_SHARED]
        return {self.names[i]: float(share[i]) for i in best}

    def scores(self, query: str, names: Sequence[str]) -> np.ndarray:
        """(K,) the share of each of K names; -inf where it is too small, or nothing was heard."""
        share = self.shared(query)
        own = np.array([share[self._row[n]] if n in self._row else 0.0 for n in names])
        return np.where(own >= LEAST_SHARED, own, -np.inf)
