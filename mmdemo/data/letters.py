# ruff: noqa: RUF001  the letters of other scripts are meant
"""How likely a text is one of a language, by its letters beyond ASCII: by that the encodings of one byte a
character are told from one another, as the same bytes are frequent letters of one and rare ones of another.

The letters of a language stand in the order of their frequency. The share of the k-th is taken to be as
1 / (k + 2), which is near enough: encodings differ by orders of magnitude.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

LATIN = {  # of a language with Latin letters, those that are not ASCII
    "English": "é",
    "German": "üäöß",
    "French": "éèàêçôîùâûœëï",
    "Spanish": "óíáéñúü¿¡",
    "Portuguese": "ãçáéõíóêâúàô",
    "Italian": "èàùìòé",
    "Nordic": "äåöøæé",
    "Icelandic": "áðíéöþúæýó",
    "Polish": "łąęóżśćńź",
    "Czech": "íáéěčřžýšůúňťďó",
    "Slovak": "áíéčžýúšľťôňďäóĺŕ",
    "Hungarian": "áéöóüőíúű",
    "Croatian": "čšžćđ",
    "Romanian": "ăîâşţ",
    "Turkish": "ıüşğçöİâ",
    "Lithuanian": "ėžšįųūčąę",
    "Latvian": "āīēšūņļģķčž",
}
OTHERS = {  # all letters
    "Russian": "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъё",
    "Ukrainian": "оанивтерсіклудмпязьбгйчхжцшєюїщфґ",
    "Serbian": "аиоенртсјувкдпмлзгбшчцњћхжљђфџ",
    "Greek": "αοιετσνρκπυλμίάόήθέύγδωχφβύώξζηςψΐΰϊϋ",
    "Hebrew": "יוהלאתרשבמנםדחפקסעגכטזצןךץף",
    "Arabic": "اليمونرتبةعدسفهكحقجشطصخأضذثزغإئءىظآؤ",
    "Thai": "านรอกเงมยลวดทส่้ตะิีัปบคหแจพชขใไโ์ูุถผ็ึืซธญศณษฐฟภๆฉฮ",
}
OF_ENCODINGS: dict[str, tuple[str, ...]] = {  # the first of those that say the same is taken
    "cp1252": ("English", "German", "French", "Spanish", "Portuguese", "Italian", "Nordic", "Icelandic"),
    "mac_roman": ("English", "German", "French", "Spanish", "Portuguese", "Italian", "Nordic"),
    "cp850": ("German", "French", "Spanish", "Portuguese", "Italian", "Nordic"),
    "cp1250": ("Polish", "Czech", "Slovak", "Hungarian", "Croatian", "Romanian"),
    "iso8859_2": ("Polish", "Czech", "Slovak", "Hungarian", "Croatian", "Romanian"),
    "cp852": ("Polish", "Czech", "Slovak", "Hungarian", "Croatian"),
    "cp1254": ("Turkish",),
    "cp1257": ("Lithuanian", "Latvian"),
    "cp1251": ("Russian", "Ukrainian", "Serbian"),
    "koi8_r": ("Russian",),
    "cp866": ("Russian",),
    "iso8859_5": ("Russian", "Ukrainian", "Serbian"),
    "mac_cyrillic": ("Russian", "Ukrainian", "Serbian"),
    "cp1253": ("Greek",),
    "iso8859_7": ("Greek",),
    "cp1255": ("Hebrew",),
    "cp1256": ("Arabic",),
    "iso8859_6": ("Arabic",),
    "cp874": ("Thai",),
}
MARKS = {
    "’": 0.04,
    "“": 0.02,
    "”": 0.02,
    "–": 0.02,
    "„": 0.01,
    "«": 0.01,
    "»": 0.01,
    "…": 0.01,
    "‘": 0.005,
    "’s": 0.3,
    "’-": 0.0005,
} | (dict.fromkeys("—•°€£№©®½", 0.003))
BETWEEN_LETTERS = "’"  # the only one of these
GENITIVE = "’s"  # that mark within a word, before what follows it in English
ENDINGS = "stdmrlv"
FIRST = "’-"  # it before a word, where no quotation ends
CAPITAL = 0.1  # of its small letter's share
# Of a Latin letter's share, where it is a word of its own, or another that is not ASCII stands beside it.
ODD = 0.1
UNKNOWN = math.log(1e-4)  # of a character that the language does not have
LEAST_LIKELY = -5.5  # the mean of a text's characters: two odd ones are of no language
MOST_UNKNOWN = 0.1  # of the characters, in a text that is of a language
SURE = math.log(1000.0)  # by which the first must be likelier than the second, or it is a guess


@dataclass(frozen=True)
class Told:
    """In which encoding a text likely is."""

    encoding: str
    is_guess: bool  # whether another is nearly as likely


def likeliest(data: bytes) -> Told | None:
    """The encoding of bytes with letters beyond ASCII; None where they are of no language that is known here.

    Args:
        data: lines of a text.
    """
    found: dict[str, float] = {}  # by the text that comes out: equal ones are no rivals
    names: dict[str, str] = {}
    best: tuple[float, str, float, float] | None = None
    for encoding, languages in OF_ENCODINGS.items():
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        kinds = Counter(_kinds(text))
        total = sum(kinds.values())
        for language in languages:
            score, unknown = _score(kinds, language)
            if text not in found or score > found[text]:
                found[text] = score
                names.setdefault(text, encoding)
            if total and (best is None or score > best[0]):
                best = score, names[text], unknown / total, score / total
    if best is None or best[2] > MOST_UNKNOWN or best[3] < LEAST_LIKELY:
        return None
    others = sorted(found.values(), reverse=True)
    return Told(best[1], len(others) > 1 and others[0] - others[1] < SURE)


Kind = tuple[str, bool, bool, bool]  # a character; whether it stands in a word, beside ASCII, beside another


def _kinds(text: str) -> Iterator[Kind]:
    """The characters of a text beyond ASCII, with what stands beside them."""
    for i, char in enumerate(text):
        if char.isascii():
            continue
        before, after = text[i - 1 : i], text[i + 1 : i + 2]
        beside = [c for c in (before, after) if c.isalpha()]
        within = before.islower() if char.isupper() else len(beside) == 2
        kind = char
        if char == BETWEEN_LETTERS and within and after in ENDINGS:
            kind = GENITIVE
        elif char == BETWEEN_LETTERS and after.isalpha() and not within:
            kind = FIRST
        yield kind, within, any(c.isascii() for c in beside), any(not c.isascii() for c in beside)


def _score(kinds: Mapping[Kind, int], language: str) -> tuple[float, int]:
    """The logarithm of how likely the characters are, and how many the language does not have."""
    shares, is_latin = _shares(language), language in LATIN
    score, unknown = 0.0, 0
    for (char, within, by_ascii, by_other), count in kinds.items():
        share = MARKS.get(char, 0.0)
        if share and within and char[0] not in BETWEEN_LETTERS:
            share = 0.0
        own = shares.get(char, 0.0)
        if own and char.isupper() and within:
            own = 0.0  # a capital within a word
        if own and by_ascii and not is_latin:
            own = 0.0  # a letter of another script within a word
        if own and is_latin and (by_other or not by_ascii):
            own *= ODD
        share = max(share, own)
        score += count * (math.log(share) if share else UNKNOWN)
        unknown += count * (not share)
    return score, unknown


@cache
def _shares(language: str) -> Mapping[str, float]:
    """The share of each letter among those of a language, capitals too."""
    letters = LATIN.get(language) or OTHERS[language]
    shares = {letter: 1 / (rank + 2) for rank, letter in enumerate(letters)}
    whole = sum(shares.values())
    small = {letter: share / whole for letter, share in shares.items()}
    large = {letter.upper(): share * CAPITAL for letter, share in small.items() if len(letter.upper()) == 1}
    return large | small
