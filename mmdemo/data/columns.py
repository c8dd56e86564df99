"""What the columns of a table say of a pair; manifests and data sets name them alike.

The names are those of the Hub's folders, OpenCLIP, NeMo, Common Voice, img2dataset, DeepSpeech, Flickr and
what people call them in tables of their own. A column is known by any of them, however it is capitalised.
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmdemo.data.flags import ANSWER, FLAGS, flagged_split, flagged_verdict, is_answers
from mmdemo.data.rows import read_field, read_verdict
from mmdemo.errors import ImportRowError
from mmdemo.modality import is_medium
from mmdemo.store.splits import SIDES, SPLIT_NAMES

FILE_COLUMNS = (
    *("file_name", "filename", "file_path", "filepath", "file", "path", "media", "media_path"),
    *(
        "image",
        "image_file",
        "image_path",
        "image_name",
        "image_filename",
        "img",
        "img_path",
        "picture",
        "photo",
    ),
    *(
        "audio",
        "audio_file",
        "audio_path",
        "audio_filepath",
        "wav_filename",
        "wav",
        "sound",
        "clip",
        "recording",
    ),
    *("video", "video_file", "video_path", "video_name", "video_filename"),
    *("image_id", "imageid", "audio_id", "video_id", "videoid", "clip_id", "key", "id"),
)
NUMBERS = frozenset(FILE_COLUMNS[-8:])  # which name files only where files are so called
OF_MODALITY = {
    "image": ("image", "img", "picture", "photo"),
    "audio": ("audio", "wav", "sound"),
    "video": ("video",),
}
TEXT_COLUMNS = (
    *("text", "caption", "sentence", "transcription", "transcript", "title", "description"),
    *("captions", "texts", "sentences", "raw_caption", "raw_text", "normalized_text", "normalised_text"),
    *("raw", "caption_str", "conversations", "messages"),
    *("alt_text", "alt", "prompt", "query", "comment_text", "words", "utterance", "sentence_text"),
    *("label", "labels", "class", "class_name", "category", "tag", "tags"),
)
LISTS = frozenset(TEXT_COLUMNS) - {"text"}  # whose cells may hold several texts
NUMBERED = re.compile(r"([a-z_]*[a-z])_?\d{1,2}")  # caption_1, caption2: a text each
NO_TEXTS = frozenset(  # columns of words that say nothing of what is seen or heard
    (
        *("url", "source", "license", "licence", "author", "photographer", "artist", "credit", "copyright"),
        *(
            "user",
            "uploader",
            "owner",
            "date",
            "created",
            "time",
            "timestamp",
            "format",
            "language",
            "locale",
        ),
        *("camera", "device", "location", "place", "country", "gender", "age", "accent", "accents", "status"),
        *("speaker", "speaker_id", "speaker_name", "client_id", "hash", "md5", "sha256", "phash", "exif"),
    )
)
SPLIT_COLUMNS = ("split", "subset", "set", "set_name", "partition", "phase")
STARTS = ("start", "start_s", "start_time", "starttime", "begin", "begin_time")
ENDS = ("end", "end_s", "end_time", "endtime", "stop")
STARTS_MS, ENDS_MS = ("start_ms", "begin_ms"), ("end_ms", "stop_ms")  # in thousandths of a second
CUT_OUT = frozenset(("youtube_id", "slice_file_name"))  # of clips whose span is that of what they are from
CLOCK = re.compile(r"(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2}(?:[.,]\d{1,9})?)")  # 1:02:03.5
OWN = frozenset(
    {"pair", "split", "source"}
)  # in what mmdemo has exported: its words mean what they mean here
KNOWN = {
    *STARTS,
    *ENDS,
    *STARTS_MS,
    *ENDS_MS,
    *SPLIT_COLUMNS,
    "verdict",
    "corrected_text",
    "annotator",
    "comment",
    "duration",
    "offset",
    *FLAGS,
}
LONGEST_LIST = 100_000  # characters of a list in Python's words, whose tree is 250 times as large


def plain(name: Any) -> str:
    """The name of a column as it is compared."""
    return re.sub(r"[\s-]+", "_", str(name).strip().lower())


def is_text_column(name: str) -> bool:
    """Whether a column of that name holds a text."""
    return plain(name) in TEXT_COLUMNS


@dataclass(frozen=True)
class Columns:
    """Which columns of a table name the files and hold the texts, as they are written there."""

    file: str
    texts: tuple[str, ...] = ()  # empty: none does
    guessed: bool = False  # whether the texts' column is known by its cells, and not by its name

    @property
    def text(self) -> str:
        """The first column of texts; empty where there is none."""
        return next(iter(self.texts), "")

    def texts_of(self, line: Mapping[str, Any]) -> list[Any]:
        """The texts of a line; None in it where it has none."""
        found = [value for column in self.texts for value in _several(line.get(column), column)]
        return [value for value in found if value not in (None, "")] or [None]


def columns_of(
    lines: Iterable[Mapping[str, Any]],
    modality: str = "",
    names_file: Callable[[Any], bool] = lambda v: False,
) -> Columns | None:
    """Which columns are which.

    Args:
        lines: the first of a table.
        modality: of the files that are wanted; empty: of any.
        names_file: whether a cell is a file, or the name of one that is there.
    """
    known = list(lines)
    named = {plain(name): name for line in known for name in line}

    def there(column: str) -> int:
        return sum(names_file(line.get(column)) for line in known)

    found = [c for c in FILE_COLUMNS if c in named and (c not in NUMBERS or there(named[c]))]
    wanted = OF_MODALITY.get(modality, ())
    found.sort(key=lambda c: not c.startswith(wanted) if wanted else False)  # the others in their order

    best = max(found, key=lambda c: there(named[c]), default=None)  # of equals the first
    if best is None:
        own = max(named.values(), key=there, default=None)
        if own is None or not there(own):
            return None
        return _with_texts(named, own, known)
    return _with_texts(named, named[best], known)


def _with_texts(named: Mapping[str, str], file: str, lines: list[Mapping[str, Any]]) -> Columns:
    """The columns of the texts: of a known name, or numbered ones of it, or else the one with most words."""

    def cells(column: str) -> list[str]:
        return [str(line[column]) for line in lines if line.get(column) not in (None, "")]

    def says_more(column: str) -> bool:  # than names of files
        own = cells(column)
        return column != file and (not own or not all(map(_names_file, own)))

    candidates = [c for c in TEXT_COLUMNS if c in named and named[c] != file]
    known = next((c for c in candidates if says_more(named[c])), "")
    if known and known != candidates[0] and not _words(cells(named[known])):
        known = candidates[0]  # a text may be called like a file, and the other one is a number
    numbered = {n: m[1] for p, n in named.items() if (m := NUMBERED.fullmatch(p)) and m[1] in TEXT_COLUMNS}
    if known or numbered:
        own = [named[known]] if known else []
        return Columns(file, (*own, *(n for n, base in numbered.items() if not known or base == known)))
    if "comment" in named and "verdict" not in named and says_more(named["comment"]):
        return Columns(file, (named["comment"],))
    others = [n for p, n in named.items() if p not in KNOWN | NO_TEXTS and p not in FILE_COLUMNS]
    others = [n for n in others if plain(n) != ANSWER or not is_answers(cells(n))]
    others = [n for n in others if not any(isinstance(line.get(n), (dict, list)) for line in lines)]
    wordy = {n: _words(cells(n)) for n in others if says_more(n)}
    wordy = {n: words for n, words in wordy.items() if words}
    best = max(wordy, key=lambda n: wordy[n], default="")
    if not best or (len(wordy) > 1 and wordy[best] < 2):  # of several of a word each nobody knows which
        return Columns(file)
    return Columns(file, (best,), guessed=len(others) > 1)


def _names_file(cell: str) -> bool:
    """Whether a cell is called like a file, perhaps with the number of a caption: 1.jpg#2."""
    return is_medium(Path(re.sub(r"#\d{1,3}$", "", cell.strip())[-300:]))


def _words(cells: list[str]) -> float:
    """How many words the cells of a column have, the mean of them; 0 where they are numbers or addresses."""
    if not cells or any("://" in cell for cell in cells):
        return 0.0
    return sum(len(re.findall(r"[^\W\d_]{2,}", cell)) for cell in cells) / len(cells)


def _several(value: Any, column: str) -> list[Any]:
    """What a cell says: a text, several, or what somebody answered in a conversation."""
    if plain(column) not in LISTS:
        return [value]
    if isinstance(value, str) and value.startswith("[") and value.endswith("]"):
        value = _listed(value)
    if not isinstance(value, list) or not value:
        return [value]
    if all(isinstance(one, dict) and {"from", "role"} & set(one) for one in value):
        said = (one for one in value if (one.get("from") or one.get("role")) in ("gpt", "assistant"))
        return [next((one.get("value") or one.get("content") for one in said), value)]
    return [_text_within(one) for one in value]


def _text_within(one: Any) -> Any:
    """The text of an object, as Karpathy's splits have them: {"raw": "a cat", "tokens": [...]}."""
    if not isinstance(one, dict):
        return one
    return next((one[c] for c in ("raw", *TEXT_COLUMNS) if isinstance(one.get(c), str)), one)


def _listed(value: str) -> Any:
    """A cell that holds a list of texts in the words of JSON or of Python; else as it is."""
    for read in (json.loads, ast.literal_eval if len(value) <= LONGEST_LIST else json.loads):
        with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
            found = read(value)
            if isinstance(found, list) and found and all(isinstance(one, str) for one in found):
                return found
    return value


def split_said(line: Mapping[str, Any]) -> str:
    """The name of the split that a line says; empty where it says none.

    Raises:
        ImportRowError: its column `split` is no text.
    """
    said = read_field(line.get("split"), "split", int).lower()
    others = (str(line.get(c) or "").strip().lower() for c in SPLIT_COLUMNS[1:] if c in line)
    return said or next((name for name in others if name in SPLIT_NAMES), "") or flagged_split(line)


def said_in(line: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a `Row` that a line says of its pair: the label on it, and its span.

    Raises:
        ImportRowError: which column cannot be read, and why.
    """

    def value(column: str, *types: type) -> str:
        return read_field(line.get(column), column, *types)

    def seconds(columns: Iterable[str]) -> float | None:
        named = next((c for c in columns if c in line), "")
        return _seconds(value(named, int, float), named) if named else None

    def thousandths(columns: Iterable[str]) -> float | None:
        found = seconds(columns)
        return None if found is None else found / 1000

    start, end = seconds(STARTS), seconds(ENDS)
    start = thousandths(STARTS_MS) if start is None else start
    end = thousandths(ENDS_MS) if end is None else end
    if start is not None and end is None and (length := seconds(("duration",))):
        end = start + length
    if CUT_OUT & {plain(name) for name in line}:
        start = end = None
    if start is None and end is None and (offset := seconds(("offset",))) is not None:  # as NeMo cuts them
        length = seconds(("duration",))
        start, end = offset, None if length is None else offset + length
        if not offset:
            start = end = None  # a whole file
    said = {
        "verdict": read_verdict(value("verdict", int)) or flagged_verdict(line),
        "corrected": value("corrected_text"),
        "start_s": start,
        "end_s": end,
        "annotator": value("annotator", int),
        "comment": value("comment"),
    }
    if set(line) >= OWN and (split := value("split")) in {*SIDES, ""}:
        said |= {"split": split, "source": value("source")}
    return said


def _seconds(value: str, name: str) -> float | None:
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        parts = CLOCK.fullmatch(value.strip())
        hours, minutes, rest = parts.groups() if parts else (None, "0", "nan")
        seconds = int(hours or 0) * 3600 + int(minutes) * 60 + float(rest.replace(",", "."))
    if not math.isfinite(seconds):
        raise ImportRowError(f"{name} is {value!r}, which is not a number of seconds.")
    return seconds
