"""What somebody has named to import, a folder, a file or datasets:NAME, and how its files are found.

Links are followed: of what was uploaded those that stay in the upload, of what a person has named on this
machine all of them, as data sets that DVC or the Hub's cache keep consist of links.
"""

from __future__ import annotations

import os
import re
from array import array
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np

from mmdemo.data.encodings import decode
from mmdemo.data.file_list import left_out_note
from mmdemo.data.packed import read_head, read_whole, stem_of, suffix_of
from mmdemo.data.rows import Row, Skipped, attempt, parse_json
from mmdemo.errors import ImportRowError, NotJsonError, UserError
from mmdemo.media.below import is_below
from mmdemo.media.regular_file import is_file, is_folder
from mmdemo.modality import MODALITIES, any_medium, is_medium
from mmdemo.store.texts import normalized

# Folders and files of systems and tools, beside those whose names begin with a dot.
NOT_SHOWN = re.compile(
    r"\.|__macosx$|@eadir$|#recycle$|@recycle$|\$recycle\.bin$|system volume information$|lost\+found$|"
    r"__pycache__$|thumbs\.db$|desktop\.ini$|ehthumbs\.db$|icon\r$|~\$|.*(~|:zone\.identifier)$",
    re.IGNORECASE,
)
MOST_KEPT = 4  # JSON files that are not read again
JSONS = (".json", ".jsonl")
HEAD = 65_536  # bytes by which a file is told from another
UNREAD_TABLES = frozenset((".xls", ".xlsb", ".ods", ".numbers", ".zst", ".xz", ".sqlite", ".db"))
SAVE_AS = "Save it as .xlsx or .csv."
ANNOTATIONS = "annotations"  # the folder of COCO's tables, which name files of the folders beside it


def is_shown(name: str) -> bool:
    """Whether a file or folder of that name is somebody's, and no system's or tool's."""
    return NOT_SHOWN.match(name) is None


def exact_name(name: str) -> str:
    """A name with Unicode's two ways to write an accent as one."""
    return normalized("NFC", name)


def same_name(name: str) -> str:
    """A name as it is compared: Unicode's two ways to write an accent are one, and so are capitals."""
    return exact_name(name).casefold()


class Source:
    """A source, looked at for as long as it is imported.

    Args:
        path: what was named.
        within: where all of its files must lie, as those that were uploaded must; None: anywhere.
        modality: the name of that whose items are wanted; empty: of any.
    """

    def __init__(self, path: Path, within: Path | None = None, modality: str = "") -> None:
        self.named = str(path)  # as somebody wrote it
        self.path = path.resolve() if ".." in path.parts else path.absolute()
        self.within = within
        self.modality = modality
        self.left: list[Path] = []  # media that are in no row, once all rows were read
        self.notes: list[str] = []  # what a person should know of how it is read, in sentences
        self._json: dict[Path, Any] = {}
        self._parts: dict[str, tuple[str, ...]] = {}  # of folders
        self._named: dict[Path, str] = {}  # files that were found by a part of their name, and by which

    @cached_property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return is_folder(self.path)

    @cached_property
    def root(self) -> Path:
        """The folder of its files."""
        if self.is_folder:
            return self.path
        parent = self.path.parent
        return parent.parent if parent.name == ANNOTATIONS and parent.parent != parent else parent

    @cached_property
    def files(self) -> list[Path]:
        """The files of the folder and of those below it, in the order of their paths; of a file, itself."""
        return sorted(self._below(self.path)) if self.is_folder else [self.path]

    @cached_property
    def media(self) -> list[Path]:
        """Those of `files` that are called like media."""
        return [f for f in self.files if is_medium(f)]

    @cached_property
    def json_files(self) -> list[Path]:
        """Those of `files` that are JSON or lines of it and belong to no medium, as 1.json to 1.jpg does."""
        own = {(f.parent, name) for f in self.media for name in (f.stem, f.name)}
        named = (f for f in self.files if suffix_of(f) in JSONS)
        return [f for f in named if not self.is_folder or (f.parent, stem_of(f)) not in own]

    @property
    def top_json(self) -> list[Path]:
        """Those of `json_files` that are called .json and lie in no folder below."""
        top = (f for f in self.json_files if not self.is_folder or not self.parts(f))
        return [f for f in top if suffix_of(f) == ".json"]

    @cached_property
    def top_files(self) -> list[Path]:
        """Those of `files` that lie in no folder below; of a file, itself."""
        return [f for f in self.files if not self.parts(f)] if self.is_folder else [self.path]

    def parts(self, file: Path) -> tuple[str, ...]:
        """The names of the folders between the root and a file, the uppermost first."""
        folder = str(file).rpartition(os.sep)[0]  # files share few: asking a path takes ten times as long
        if folder not in self._parts:
            near = file.parent.is_relative_to(self.root)
            self._parts[folder] = file.parent.relative_to(self.root).parts if near else ()
        return self._parts[folder]

    def note(self, sentence: str) -> None:
        """Tell something of how the source is read, once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def leave_out(self, named: array[int]) -> None:
        """Note which media of a folder are in no row, when all of these were read.

        Args:
            named: the hashes of those that are in one: 8 bytes of a file, of a hundred thousand.
        """
        if not self.is_folder or not self.media:
            return
        hashes = np.fromiter(map(hash, self.media), np.int64, len(self.media))
        self.left = [self.media[i] for i in np.flatnonzero(~np.isin(hashes, np.frombuffer(named, np.int64)))]
        if self.left:
            self.note(left_out_note(len(self.left)))

    def read_text(self, path: Path) -> str:
        """A text file, in whatever encoding; which one is noted where it had to be found out.

        Raises:
            MediaError: it is no file that can be read, too large, or in no encoding that is known.
        """
        self._require_inside(path)
        found = decode(read_whole(path), path.name)
        if found.name:
            guess = (
                ", which is a guess: where its texts look wrong, save it as UTF-8" if found.is_guess else ""
            )
            self.note(f"{path.name} was read as {found.name}{guess}.")
        return found.text

    def head(self, path: Path) -> str:
        """How a text file begins; empty where there is none that can be read."""
        try:
            self._require_inside(path)
            data = read_head(path, HEAD)
        except (OSError, ImportRowError):
            return ""
        with suppress(UnicodeDecodeError):  # a character that is cut at its end
            return data.decode("utf-8-sig")
        whole = data.rpartition(b"\n")[0] or data
        return decode(whole, path.name).text

    def read_json(self, path: Path) -> Any:
        """What a JSON file says; it is read once.

        Raises:
            NotJsonError: it is no JSON.
            MediaError: as `read_text`.
        """
        if path not in self._json:
            if len(self._json) >= MOST_KEPT:
                self._json.clear()
            try:
                self._json[path] = parse_json(self.read_text(path).removeprefix("\ufeff"))
            except ValueError as e:
                raise NotJsonError(f"{path.name} is no JSON that can be read: {e}.", "Save it again.") from e
        return self._json[path]

    def require_json(self, path: Path, cure: str) -> Any:
        """As `read_json`, of a file that can be nothing else.

        Args:
            path: the file.
            cure: what to do where it is no JSON.

        Raises:
            UserError: it is no JSON.
            MediaError: as `read_text`.
        """
        try:
            return self.read_json(path)
        except ValueError as e:
            raise UserError(f"{path.name} is no JSON that can be read: {e}.", cure) from e

    def find(self, name: str, folder: Path | None = None, lasting: bool = True) -> Path:
        """The file of a name that the source gives.

        It may differ in how its accents and capitals are written, lack its suffix, or have other folders in
        front, as where a data set was moved: then it is the one file that it can mean.

        Args:
            name: as it is written.
            folder: where that begins; None: the root.
            lasting: whether a file that is found by a part of its name stands for that name from now on.

        Raises:
            ImportRowError: it is not there, several are meant, or it leads out of the source.
        """
        wanted = name.strip().replace("\\", "/")
        if is_address(wanted):
            wanted = _path_of(wanted)
        if not wanted:
            raise ImportRowError("The row names no file.")
        path = Path(os.path.normpath((folder or self.root) / wanted))
        lies_inside = path.is_relative_to(self.root)
        if lies_inside and is_file(path):
            self._require_inside(path, name)
            return path
        found = self._alike(path) or ([] if ".." in wanted.split("/") else self._by_tail(wanted, lasting))
        if not found and "%" in wanted and unquote(wanted) != wanted:
            return self.find(unquote(wanted), folder, lasting)
        if not found and is_address(name.strip()):
            raise ImportRowError(f"{name.strip()[:200]} is on the network: save it beside the table first.")
        if not found and not lies_inside:
            raise ImportRowError(f"{name} lies outside the folder of the manifest.")
        if not found:
            raise ImportRowError(f"{name} is missing.")
        if len(found) > 1:
            folders = sorted({str(f.parent.relative_to(self.root)) for f in found})
            raise ImportRowError(f"{name} is not one file: there are several, in {', '.join(folders[:4])}.")
        self._require_inside(found[0], name)
        return found[0]

    def names_medium(self, cell: Any, folder: Path | None = None) -> bool:
        """Whether a cell of a table is the name of a medium of the source, as `find` knows it."""
        if not isinstance(cell, str) or not 0 < len(cell) < 1000 or "\n" in cell:
            return False
        try:
            return is_medium(self.find(cell, folder, lasting=False))
        except ImportRowError:
            return False

    def row(self, number: int, name: str, folder: Path | None = None, **facts: Any) -> Row | Skipped:
        """The row of a file that the source names, or why there is none.

        Args:
            number: of the row.
            name: of the file.
            folder: as in `find`.
            facts: the other fields of the row.
        """

        def made() -> Row:
            file = self.find(name, folder)
            return Row(number, file.name, file, **facts)

        return attempt(number, name, made)

    def file_row(self, number: int, file: Path, facts: Callable[[], dict[str, Any]] = dict) -> Row | Skipped:
        """The row of one of `files`, or why there is none.

        Args:
            number: of the row.
            file: which.
            facts: gives the other fields of the row; what it raises is the reason.
        """

        def made() -> Row:
            if file.suffix.lower() in UNREAD_TABLES:
                raise ImportRowError(f"{file.name} cannot be read as a table. {SAVE_AS}")
            if not is_medium(file):
                raise ImportRowError(f"{file.name} is not named like {any_medium()}.")
            self._require_inside(file)
            return Row(number, file.name, file, **facts())

        return attempt(number, file.name, made)

    def is_inside(self, path: Path) -> bool:
        """Whether a file may be read, with the links in it followed."""
        return self.within is None or is_below(self.within, path)

    def _require_inside(self, path: Path, name: str = "") -> None:
        if not self.is_inside(path):
            raise ImportRowError(f"{name or path.name} lies outside the folder.")

    def _below(self, folder: Path) -> Iterator[Path]:
        seen: set[tuple[int, int]] = set()
        waiting = [folder]
        while waiting:
            at = waiting.pop()
            try:
                facts = at.stat()
                found = list(os.scandir(at))
            except OSError:
                continue  # it is gone meanwhile, or nobody may look into it
            if (facts.st_dev, facts.st_ino) in seen:  # links in a circle, or two to one folder
                self.note(f"The folder {at.name} is there more than once by links, and is read once.")
                continue
            seen.add((facts.st_dev, facts.st_ino))
            for entry in filter(lambda e: is_shown(e.name), found):
                path = Path(entry.path)
                if is_folder(path):
                    if entry.is_symlink() and not self.is_inside(path):
                        self.note(f"The folder {entry.name} is a link that leads out of the upload.")
                    else:
                        waiting.append(path)
                elif is_file(path):
                    yield path

    @cached_property
    def _index(self) -> dict[str, list[Path]]:
        """The files by their names and by those without suffixes, as these are compared."""
        index: dict[str, list[Path]] = {}
        for file in self._below(self.root) if not self.is_folder else self.files:
            keys = {same_name(file.name)}
            if is_medium(file):
                keys |= {same_name(file.stem), _without_zeros(file.stem)}
            for key in keys:
                index.setdefault(key, []).append(file)
        return index

    def _alike(self, path: Path) -> list[Path]:
        """The files whose whole path is the same as it is compared, perhaps but for the suffix."""
        wanted, exact = same_name(str(path)), exact_name(str(path))
        found = [
            file
            for file in self._index.get(same_name(path.name), ())
            if wanted in {same_name(str(file)), same_name(str(file.with_suffix("")))}
        ]
        closer = [f for f in found if exact_name(str(f)) == exact]
        return self._of_modality(closer or found)

    def _of_modality(self, files: list[Path]) -> list[Path]:
        """Those of the wanted modality, where there are some: a picture may stand for a video beside it."""
        claims = MODALITIES.get(self.modality).claims if self.modality else is_medium
        return [f for f in files if claims(f)] or files

    def _by_tail(self, wanted: str, lasting: bool) -> list[Path]:
        """The files that share most of the last parts of a name; one stands for one name only."""
        parts = [same_name(p) for p in wanted.split("/") if p not in ("", ".")]
        best = 0
        found: list[Path] = []
        for file in self._index.get(parts[-1], ()) if parts else ():
            own = [same_name(p) for p in file.relative_to(self.root).parts][::-1]
            shared = 1
            while shared < min(len(own), len(parts)) and own[shared] == parts[-1 - shared]:
                shared += 1
            if shared >= best:
                found = [*(found if shared == best else []), file]
                best = shared
        found = self._of_modality(found)
        if len(found) == 1 and self._named.get(found[0], wanted) != wanted:
            return []
        if len(found) == 1 and lasting:
            self._named[found[0]] = wanted
        return found


def is_address(name: str) -> bool:
    """Whether a name is an address of the network, or of this machine as file://..."""
    return re.match(r"[a-z][a-z0-9+.-]{1,10}://", name, re.IGNORECASE) is not None


def _path_of(address: str) -> str:
    """The path in an address, without what is asked of its server."""
    try:
        return unquote(urlsplit(address).path).lstrip("/")
    except ValueError:
        return ""


def _without_zeros(stem: str) -> str:
    """A number as spreadsheets write it: 1 of 0001."""
    return stem.lstrip("0") or "0" if stem.isdecimal() else same_name(stem)
