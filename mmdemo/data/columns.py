"""What the columns of a table say of a pair; manifests and data sets name them alike.

The names are those of the Hub's folders, OpenCLIP, NeMo, Common Voice, img2dataset, DeepSpeech, Flickr and
what people call them in tables of their own. A column is known by any of them, however it is capitalised.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mmdemo.data.rows import read_field, read_verdict
from mmdemo.errors import ImportRowError
from mmdemo.store.splits import SIDES

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
    *("image_id", "audio_id", "video_id", "clip_id", "key", "id"),
)
NUMBERS = frozenset(FILE_COLUMNS[-6:])  # which name files only where files are so called
OF_MODALITY = {
    "image": ("image", "img", "picture", "photo"),
    "audio": ("audio", "wav", "sound"),
    "video": ("video",),
}
TEXT_COLUMNS = (
    *("text", "caption", "sentence", "transcription", "transcript", "title", "description"),
    *("captions", "texts", "sentences", "raw_caption", "raw_text", "normalized_text", "normalised_text"),
    *("alt_text", "alt", "prompt", "query", "comment_text", "words", "utterance", "sentence_text"),
    *("label", "labels", "class", "class_name", "category", "tag", "tags"),
)
LISTS = frozenset(TEXT_COLUMNS) - {"text"}  # whose cells may hold several texts
STARTS = ("start", "start_s", "start_time", "begin", "begin_time")
ENDS = ("end", "end_s", "end_time", "stop")
OWN = frozenset(
    {"pair", "split", "source"}
)  # in what mmdemo has exported: its words mean what they mean here
KNOWN = {*STARTS, *ENDS, "verdict", "corrected_text", "split", "annotator", "comment", "duration", "offset"}


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
    text: str = ""  # empty: none does
    own: bool = True  # whether the file's column is known by its name

    @property
    def may_be_list(self) -> bool:
        """Whether a cell may hold several texts."""
        return plain(self.text) in LISTS


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
        return Columns(own, _text_column(named, own, known), own=False)
    return Columns(named[best], _text_column(named, named[best], known))


def _text_column(named: Mapping[str, str], file: str, lines: list[Mapping[str, Any]]) -> str:
    """The column of the texts: one of a known name, or else the only other one with words in it."""
    known = next((named[c] for c in TEXT_COLUMNS if c in named and named[c] != file), None)
    if known is not None:
        return known
    others = [n for p, n in named.items() if n != file and p not in KNOWN and p not in FILE_COLUMNS]
    wordy = [n for n in others if any(re.search(r"[^\W\d_]{2}", str(line.get(n) or "")) for line in lines)]
    return wordy[0] if len(others) == len(wordy) == 1 else ""


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

    start, end = seconds(STARTS), seconds(ENDS)
    if start is None and end is None and (offset := seconds(("offset",))) is not None:  # as NeMo cuts them
        length = seconds(("duration",))
        start, end = offset, None if length is None else offset + length
        if not offset:
            start = end = None  # a whole file
    said = {
        "verdict": read_verdict(value("verdict", int)),
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
        seconds = math.nan
    if not math.isfinite(seconds):
        raise ImportRowError(f"{name} is {value!r}, which is not a number of seconds.")
    return seconds
