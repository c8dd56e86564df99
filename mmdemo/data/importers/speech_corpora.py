"""The folders in which spoken corpora come: LJSpeech, Common Voice, LibriSpeech, MLS."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from mmdemo.data.columns import FILE_COLUMNS, plain
from mmdemo.data.importers.base import IMPORTERS, NOT_MINE, Recognition
from mmdemo.data.packed import packed_or_not, plain_name, stem_of, suffix_of
from mmdemo.data.rows import Row, Skipped
from mmdemo.data.source import Source
from mmdemo.media.regular_file import is_file
from mmdemo.store.splits import SPLIT_NAMES, split_names

RECORDINGS = (".flac", ".wav", ".mp3", ".opus", ".ogg", ".m4a")  # of several of an id the first is read
MLS_LINE = re.compile(r"\ufeff?\d+_\d+_\d+\t")


class LJSpeech:
    """wavs/ or wav/ beside metadata.csv or .txt without a header: id|text|normalised text."""

    name = "ljspeech"
    about = "an LJSpeech folder"
    tables = ("metadata.csv", "metadata.txt")
    folders = ("wavs", "wav")

    def recognise(self, source: Source) -> Recognition:
        """A folder with wavs/ or wav/ and a metadata.csv or .txt of lines with bars."""
        table = next(iter(self._tables(source)), None)
        if table is None:
            return NOT_MINE
        told = f"It has {self._recordings(table)}/ beside a {table.name} of id|text lines."
        return Recognition(0.9, told)

    def rows(self, source: Source) -> Iterator[Row | Skipped]:
        """One row a line, with the normalised text where there is one."""
        number = 0
        for table in self._tables(source):
            folder = self._recordings(table)
            for line in source.read_text(table).split("\n"):
                number += 1
                if not line.strip():
                    continue
                fields = line.split("|")
                if len(fields) < 2:
                    yield Skipped(number, "The line is not id|text|normalised text.")
                    continue
                text = fields[2] if len(fields) > 2 and fields[2].strip() else fields[1]
                yield source.row(number, f"{folder}/{fields[0].strip()}", table.parent, text=text.strip())

    @classmethod
    def _tables(cls, source: Source) -> list[Path]:
        """The tables beside such a folder whose first line names no columns; of two in one folder the CSV."""
        asked = source.files if source.is_folder else [source.path]
        named = [f for f in asked if plain_name(f).name.lower() in cls.tables and cls._recordings(f)]
        heads = {f: source.head(f).partition("\n")[0] for f in named}
        found: dict[Path, Path] = {}
        for f in named:
            if "|" in heads[f] and plain(heads[f].partition("|")[0]) not in FILE_COLUMNS:
                found.setdefault(f.parent, f)
        return list(found.values())

    @classmethod
    def _recordings(cls, table: Path) -> str:
        """The name of the folder of recordings beside a table; empty where there is none."""
        return next((name for name in cls.folders if (table.parent / name).is_dir()), "")


class CommonVoice:
    """clips/ beside validated.tsv, train.tsv, dev.tsv, test.tsv with path and sentence."""

    name = "common-voice"
    about = "a Common Voice folder or one of its TSV files"
    tables = ("validated.tsv", "train.tsv", "dev.tsv", "test.tsv")

    def recognise(self, source: Source) -> Recognition:
        """The folder, or a TSV beside clips/."""
        if not self._tables(source):
            return NOT_MINE
        return Recognition(0.9, "It has clips/ beside tables of Common Voice.")

    def rows(self, source: Source) -> Iterator[Row | Skipped]:
        """The rows of the TSV; of a folder, those of train, dev and test, or else of validated."""
        tables = self._tables(source)
        splits = split_names(map(stem_of, tables))
        number = 0
        for table in tables:
            lines = [line.split("\t") for line in source.read_text(table).split("\n") if line.strip()]
            header = [name.strip() for name in lines[0]] if lines else []
            for fields in lines[1:]:
                number += 1
                line = dict(zip(header, fields, strict=False))
                name, text = line.get("path", "").strip(), line.get("sentence", "")
                split = splits.get(stem_of(table), "")
                yield source.row(
                    number, f"clips/{name}" if name else "", table.parent, text=text.strip(), split=split
                )

    def _tables(self, source: Source) -> list[Path]:
        """The table, or those of each folder with clips/."""
        if not source.is_folder:
            is_one = suffix_of(source.path) == ".tsv" and (source.path.parent / "clips").is_dir()
            return [source.path] if is_one else []
        found: list[Path] = []
        for folder in sorted({f.parent for f in source.files if plain_name(f).name in self.tables}):
            if (folder / "clips").is_dir():
                validated, *split = (packed_or_not(folder / name) for name in self.tables)
                found += [t for t in split if is_file(t)] or [validated]
        return found


class LibriSpeech:
    """speaker/chapter/ with NAME.trans.txt: an id and its text a line, beside id.flac, .wav or
    another recording.
    """

    name = "librispeech"
    about = "a LibriSpeech folder"

    def recognise(self, source: Source) -> Recognition:
        """A folder with a .trans.txt somewhere in it."""
        table = next(self._tables(source), None)
        return NOT_MINE if table is None else Recognition(0.9, f"{table.name} holds transcripts.")

    def rows(self, source: Source) -> Iterator[Row | Skipped]:
        """The utterances, chapter by chapter; the name of a folder such as dev-clean says the split."""
        tables = {table: self._split(source, table) for table in self._tables(source)}
        splits = split_names(tables.values())
        number = 0
        for table, name_of_split in tables.items():
            split = splits.get(name_of_split, "")
            for line in source.read_text(table).split("\n"):
                if not line.strip():
                    continue
                number += 1
                name, _, text = line.strip().partition(" ")
                text = text.strip().capitalize()
                yield source.row(number, _recording(table.parent, name), table.parent, text=text, split=split)

    @staticmethod
    def _tables(source: Source) -> Iterator[Path]:
        return (file for file in source.files if plain_name(file).name.endswith(".trans.txt"))

    @staticmethod
    def _split(source: Source, table: Path) -> str:
        return _side_of_folders((source.root.name, *source.parts(table)))


class MultilingualLibriSpeech:
    """transcripts.txt beside audio/speaker/book/: an id, a tab and its text a line."""

    name = "mls"
    about = "a folder of Multilingual LibriSpeech"

    def recognise(self, source: Source) -> Recognition:
        """A folder with a transcripts.txt of such lines beside audio/."""
        if not self._tables(source):
            return NOT_MINE
        return Recognition(0.9, "It has audio/ beside a transcripts.txt of an id, a tab and a text.")

    def rows(self, source: Source) -> Iterator[Row | Skipped]:
        """One row a line; the name of a folder such as dev says the split."""
        tables = self._tables(source)
        names = {t: _side_of_folders((source.root.name, *source.parts(t))) for t in tables}
        splits = split_names(names.values())
        number = 0
        for table in tables:
            for line in source.read_text(table).split("\n"):
                if not line.strip():
                    continue
                number += 1
                name, _, text = line.strip().partition("\t")
                folder = Path("audio", *name.split("_")[:2])
                found = folder / _recording(table.parent / folder, name)
                split = splits.get(names[table], "")
                yield source.row(number, found.as_posix(), table.parent, text=text.strip(), split=split)

    @staticmethod
    def _tables(source: Source) -> list[Path]:
        asked = source.files if source.is_folder else [source.path]
        named = [
            f for f in asked if plain_name(f).name == "transcripts.txt" and (f.parent / "audio").is_dir()
        ]
        return [f for f in named if MLS_LINE.match(source.head(f))]


def _recording(folder: Path, name: str) -> str:
    """The name of the recording of an id in a folder; where it is not there by that name, the id."""
    named = (f"{name}{suffix}" for suffix in RECORDINGS)
    return next((file for file in named if is_file(folder / file)), name)


def _side_of_folders(names: Iterable[str]) -> str:
    """The first name of a split that begins the name of a folder, as in dev-clean; else empty."""
    words = (name.lower().split("-")[0] for name in names)
    return next((word for word in words if word in SPLIT_NAMES), "")


IMPORTERS.add(LJSpeech.name, LJSpeech())
IMPORTERS.add(CommonVoice.name, CommonVoice())
IMPORTERS.add(LibriSpeech.name, LibriSpeech())
IMPORTERS.add(MultilingualLibriSpeech.name, MultilingualLibriSpeech())
