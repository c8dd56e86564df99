"""In which language words seem to be, as far as few words tell: by their letters, or by their small words.

A text tower that knows English gives every text a vector, and nothing in the vector says that the text was
not understood.
"""

from __future__ import annotations

import re
import unicodedata

from mmdemo.store.words import SMALL_WORDS

# Words without meaning that English doesn't have, of languages that many people write in; none that names
# begin with (La Paz), and none that is an English word (met, per, den).
FOREIGN = {
    "German": "ein eine einen einem einer dem und ist mit auf nicht für von zum zur",
    "French": "un une des et avec dans est pas",
    "Spanish": "una y en del por unos unas para",
    "Italian": "gli una nel della sono",
    "Portuguese": "um uma com em dos não para",
    "Dutch": "een het voor niet",
}
SHARED = frozenset({"in"})  # that several languages have
SCRIPTS = {
    "CJK": "Chinese",
    "HIRAGANA": "Japanese",
    "KATAKANA": "Japanese",
    "HANGUL": "Korean",
    "CYRILLIC": "Cyrillic",
    "DEVANAGARI": "Hindi",
}
LEAST_WORDS = 2


def language_of(text: str) -> str:
    """The language that a text seems to be in, as an adjective; empty: English, or it can't be told.

    A word in capitals is a name (UN, MIT).
    """
    letters = [c for c in text if c.isalpha()]
    foreign = [c for c in letters if not unicodedata.name(c, "").startswith("LATIN")]
    if letters and len(foreign) > len(letters) / 2:
        script = re.split(r"[ -]", unicodedata.name(foreign[0], "FOREIGN"))[0]
        return SCRIPTS.get(script, script.capitalize())
    words = [w.lower() for w in re.findall(r"\w+", text) if not (w.isupper() and len(w) > 1)]
    if len(words) < LEAST_WORDS:
        return ""
    english = sum(word in SMALL_WORDS - SHARED for word in words)
    found = {name: len(set(known.split()).intersection(words)) for name, known in FOREIGN.items()}
    best = max(found, key=lambda name: found[name])
    return best if found[best] > english else ""
