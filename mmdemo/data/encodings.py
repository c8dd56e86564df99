"""Bytes as text: UTF-8 where they are it, else what their marks, their zeros, their letters or
charset-normalizer say.
"""

from __future__ import annotations

import codecs
import re
from contextlib import suppress
from dataclasses import dataclass

from mmdemo.data.letters import Told, likeliest
from mmdemo.errors import MediaError

MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, with whose mark it begins
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
NAMES = {  # of encodings that are looked for, as people know them
    "cp1252": "Windows-1252",
    "cp1250": "Windows-1250",
    "cp1251": "Windows-1251",
    "cp1253": "Windows-1253",
    "cp1254": "Windows-1254",
    "cp1255": "Windows-1255",
    "cp1256": "Windows-1256",
    "cp1257": "Windows-1257",
    "cp874": "Windows-874",
    "cp866": "CP866",
    "cp850": "CP850",
    "cp852": "CP852",
    "koi8_r": "KOI8-R",
    "iso8859_2": "ISO 8859-2",
    "iso8859_5": "ISO 8859-5",
    "iso8859_6": "ISO 8859-6",
    "iso8859_7": "ISO 8859-7",
    "mac_roman": "Mac Roman",
    "mac_cyrillic": "Mac Cyrillic",
    "cp932": "Shift-JIS",
    "euc_jp": "EUC-JP",
    "iso2022_jp": "ISO 2022-JP",
    "gb18030": "GB 18030",
    "big5": "Big5",
    "cp949": "EUC-KR",
    "utf-16-le": "UTF-16 without a mark",
    "utf-16-be": "UTF-16 without a mark",
}
ASKED = [e for e in NAMES if e.startswith(("cp", "koi8", "iso8859", "mac", "euc", "gb", "big5"))]
JAPANESE = b"\x1b$"  # shifts to two bytes a character, in bytes that are all ASCII
# A caption alone tells charset-normalizer too little of some scripts, whose frequent characters tell all: the
# same bytes are characters in several encodings, but seldom frequent ones in more than one
# (benchmarks/table_encodings.py).
_KANA = "".join(map(chr, range(0x3041, 0x30FF)))
_CHINESE = (
    "的一是不了在人有我他中大上和到要就出也你能子那得下自之年作用道行所然家事成方多去法如都同看天好小部心她本前想日"
    "三只又正外高由最重手向文相利二等新色水名白花城街路树樹狗猫貓车車山海天红紅蓝藍绿綠黑坐站着著边邊里裡这這个個们們"
    "来來国國为爲説说說时時会會对對过過学學还還进進样樣开開从從实實无無与與长長机機业業将將两兩间間问問头頭见見门門气氣"
)
_HANGUL = "이다는의가을를에하고도지로한리사기어나아자서시그대은인라들해수있일보과와습니까요고양개집물산"
_WIDE = re.compile(r"[\u3000-\u30ff\u4e00-\u9fff\uff01-\uff5e]")
SCRIPTS = {  # what texts in an encoding consist of, and the characters that are frequent in them
    "cp932": (_WIDE, _KANA),
    "euc_jp": (_WIDE, _KANA),
    "gb18030": (re.compile(r"[\u3000-\u303f\u4e00-\u9fff\uff01-\uff5e]"), _CHINESE),
    "big5": (re.compile(r"[\u3000-\u303f\u4e00-\u9fff\uff01-\uff5e]"), _CHINESE),
    "cp949": (re.compile(r"[\uac00-\ud7a3]"), _HANGUL),
}
OWN = 0.85  # of the characters beyond ASCII are of the script
LIKE, WIDE_LIKE = 0.55, 0.7  # likeness below which a text is in none of these
SAMPLE = 60_000  # bytes by which a text is judged
LETTERS = 8_000  # those by whose letters it is
MOST_ZEROS = 0.3  # of every second byte: then they are halves of characters
ONE_SCRIPT = re.compile(  # of UTF-16 without a zero, as a text without blanks: all letters are of one script
    r"[\u0400-\u04ff]{4,}|[\u0370-\u03ff]{4,}|[\u0590-\u05ff]{4,}|[\u0600-\u06ff]{4,}|[\u0e00-\u0e7f]{4,}"
)
CONTROLS = re.compile(rb"[\x01-\x08\x0e-\x1a\x1c-\x1f]")  # which no text has
WHOLE_LINES = 0.9  # of the lines with other than ASCII: so many in UTF-8, and the others are damaged
FEW = 4  # bytes beyond ASCII, of which charset-normalizer says nothing


@dataclass(frozen=True)
class Decoded:
    """A text, and in which encoding it was."""

    text: str
    name: str = ""  # of the encoding as people know it, where it had to be found out; empty: it is plain
    is_guess: bool = False  # whether it may as well be another one


def decode(data: bytes, called: str) -> Decoded:
    """The text of a file.

    Args:
        data: the whole of it.
        called: the file, in a sentence.

    Raises:
        MediaError: it is in no encoding that is known.
    """
    for mark, encoding in MARKS:
        if data.startswith(mark):
            with suppress(UnicodeDecodeError):
                return Decoded(data.decode(encoding))
    if JAPANESE in data:
        with suppress(UnicodeDecodeError):
            return Decoded(data.decode("iso2022_jp"), NAMES["iso2022_jp"])
    with suppress(UnicodeDecodeError):
        text = data.decode("utf-8")
        wide = _wide(data) or (_wide_by_script(data) if CONTROLS.search(data) else None)
        if wide is None:
            return Decoded(text)
        with suppress(UnicodeDecodeError):
            return Decoded(data.decode(wide), NAMES[wide])
        return Decoded(text)
    if (wide := _wide(data) or _wide_by_script(data)) is not None:
        with suppress(UnicodeDecodeError):
            return Decoded(data.decode(wide), NAMES[wide])
    if _is_damaged_utf_8(data):  # its other lines are whole; what holds what is no character is told by row
        return Decoded(data.decode("utf-8", "surrogateescape"), "UTF-8 with bytes that are no characters")
    told = _encoding(data)
    if told is not None:
        with suppress(UnicodeDecodeError):
            return Decoded(data.decode(told.encoding), NAMES[told.encoding], told.is_guess)
    raise MediaError(f"{called} is in no encoding that is known.", "Save it as UTF-8.")


def _wide(data: bytes) -> str | None:
    """UTF-16 by its zeros: of what people write, nearly every line has characters of ASCII."""
    sample = data[: SAMPLE // 2 * 2]
    if len(sample) < 4 or len(data) % 2:
        return None
    first, second = sample[0::2], sample[1::2]
    low, high = first.count(0) / len(first), second.count(0) / len(second)
    if high >= MOST_ZEROS and low < high / 4:
        return "utf-16-le"
    return "utf-16-be" if low >= MOST_ZEROS and high < low / 4 else None


def _wide_by_script(data: bytes) -> str | None:
    """UTF-16 of a text without a zero: one in letters of one script, or in frequent characters of Chinese,
    Japanese or Korean.
    """
    if len(data) < 8 or len(data) % 2:
        return None
    for encoding in ("utf-16-le", "utf-16-be"):
        with suppress(UnicodeDecodeError):
            text = data[:SAMPLE].decode(encoding)
            if ONE_SCRIPT.fullmatch(text) or max(_likeness(text, e) for e in SCRIPTS) >= WIDE_LIKE:
                return encoding
    return None


def _is_damaged_utf_8(data: bytes) -> bool:
    lines = [line for line in data.split(b"\n") if not line.isascii()]
    whole = 0
    for line in lines:
        with suppress(UnicodeDecodeError):
            whole += bool(line.decode("utf-8"))
    return whole >= WHOLE_LINES * len(lines) and whole > 1


def _encoding(data: bytes) -> Told | None:
    """The encoding that a text is likely in; None where nobody knows.

    Chinese, Japanese and Korean are known by their frequent characters, texts of one byte a character by the
    letters of their language; of what is left charset-normalizer says it.
    """
    sample = _sample(data)
    found = {}
    for encoding in SCRIPTS:
        with suppress(UnicodeDecodeError):
            found[encoding] = _likeness(sample.decode(encoding), encoding)
    best = max(found, key=lambda encoding: found[encoding], default="")
    few = sample if len(sample) <= LETTERS else sample[:LETTERS].rpartition(b"\n")[0] or sample[:LETTERS]
    told = likeliest(few)
    is_sure = told is not None and not told.is_guess
    if best and found[best] >= (WIDE_LIKE if is_sure else LIKE):
        return Told(best, False)
    if told is not None:
        return told
    if sum(byte > 0x7F for byte in sample) < FEW:
        return None
    import charset_normalizer

    by_library = charset_normalizer.from_bytes(
        _beginning(data), cp_isolation=ASKED, enable_fallback=False
    ).best()
    return None if by_library is None else Told(by_library.encoding, True)


def _beginning(data: bytes) -> bytes:
    """The first lines of a text."""
    return data if len(data) <= SAMPLE else data[:SAMPLE].rpartition(b"\n")[0] or data[:SAMPLE]


def _likeness(text: str, encoding: str) -> float:
    """How much a text is like one in the script of its encoding, 0..1."""
    others = [c for c in text if not c.isascii()]
    script, frequent = SCRIPTS[encoding]
    if not others:
        return 0.0
    own = sum(bool(script.match(c)) for c in others) / len(others)
    often = sum(c in frequent for c in others) / len(others)
    return own / 2 + min(0.5, often) if own >= OWN else 0.0


def _sample(data: bytes) -> bytes:
    """Lines of a text that are not all ASCII, cut at their ends."""
    kept, size = [], 0
    for line in data.split(b"\n"):
        if not line.isascii():
            kept.append(line)
            size += len(line)
            if size > SAMPLE:
                break
    return b"\n".join(kept)
