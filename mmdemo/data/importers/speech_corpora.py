"""The folders in which spoken corpora come: LJSpeech, Common Voice, LibriSpeech."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from mmdemo.data.importers.base import IMPORTERS
from mmdemo.data.rows import Row, Skipped, file_row, read_text
from mmdemo.media.listing import files_below
from mmdemo.store.splits import SPLIT_NAMES, split_names


class LJSpeech:
    """wavs/ beside metadata.csv without a header: id|text|normalised text."""

    name = "ljspeech"
    about = "an LJSpeech folder"
    order = 100

    def accepts(self, path: Path) -> bool:
        """A folder with wavs/ and metadata.csv."""
        return (path / "wavs").is_dir() and (path / "metadata.csv").is_file()

    def rows(self, path: Path) -> Iterator[Row | Skipped]:
        """One row a line, with the normalised text where there is one."""
        for number, line in enumerate(read_text(path / "metadata.csv").split("\n"), 1):
            if not line.strip():
                continue
            fields = line.split("|")
            if len(fields) < 2:
                yield Skipped(number, "The line is not id|text|normalised text.")
                continue
            text = fields[2] if len(fields) > 2 and fields[2].strip() else fields[1]
            yield file_row(number, path, f"wavs/{fields[0].strip()}.wav", text=text.strip())


class CommonVoice:
    """clips/ beside validated.tsv, train.tsv, dev.tsv, test.tsv with path and sentence."""

    name = "common-voice"
    about = "a Common Voice folder or one of its TSV files"
    order = 110
    tables = ("validated.tsv", "train.tsv", "dev.tsv", "test.tsv")

    def accepts(self, path: Path) -> bool:
        """The folder, or a TSV beside clips/."""
        if path.is_file():
            return path.suffix.lower() == ".tsv" and (path.parent / "clips").is_dir()
        return (path / "clips").is_dir() and any((path / name).is_file() for name in self.tables)

    def rows(self, path: Path) -> Iterator[Row | Skipped]:
        """The rows of the TSV; of a folder, those of train, dev and test, or else of validated."""
        folder = path.parent if path.is_file() else path
        split_tables = [folder / name for name in self.tables[1:] if (folder / name).is_file()]
        tables = [path] if path.is_file() else split_tables or [folder / self.tables[0]]
        splits = split_names(table.stem for table in tables)
        number = 0
        for table in tables:
            reader = csv.DictReader(
                io.StringIO(read_text(table), newline=""), delimiter="\t", quoting=csv.QUOTE_NONE
            )
            for line in reader:
                number += 1
                name, text = line.get("path") or "", line.get("sentence") or ""
                file, split = f"clips/{name}" if name else "", splits.get(table.stem, "")
                yield file_row(number, folder, file, text=text.strip(), split=split)


class LibriSpeech:
    """speaker/chapter/ with NAME.trans.txt: an id and its text a line, beside id.flac."""

    name = "librispeech"
    about = "a LibriSpeech folder"
    order = 120

    def accepts(self, path: Path) -> bool:
        """A folder with a .trans.txt somewhere in it."""
        return next(self._tables(path), None) is not None

    def rows(self, path: Path) -> Iterator[Row | Skipped]:
        """The utterances, chapter by chapter; the name of a folder such as dev-clean says the split."""
        tables = {table: self._split(path, table) for table in sorted(self._tables(path))}
        splits = split_names(tables.values())
        number = 0
        for table, name_of_split in tables.items():
            split = splits.get(name_of_split, "")
            for line in read_text(table).split("\n"):
                if not line.strip():
                    continue
                number += 1
                name, _, text = line.strip().partition(" ")
                text = text.strip().capitalize()
                yield file_row(number, table.parent, f"{name}.flac", text=text, split=split)

    @staticmethod
    def _tables(path: Path) -> Iterator[Path]:
        return (file for file in files_below(path) if file.name.endswith(".trans.txt"))

    @staticmethod
    def _split(path: Path, table: Path) -> str:
        words = (part.split("-")[0] for part in table.relative_to(path.parent).parts)
        return next((word for word in words if word in SPLIT_NAMES), "")


IMPORTERS.add(LJSpeech.name, LJSpeech())
IMPORTERS.add(CommonVoice.name, CommonVoice())
IMPORTERS.add(LibriSpeech.name, LibriSpeech())
