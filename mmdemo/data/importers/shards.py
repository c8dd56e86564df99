"""A folder of archives: WebDataset's shards, or a ZIP for each split. One is unpacked at a time, so that a
collection need not fit on the disk twice.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from mmdemo.data.archives import inside, is_archive, unpacked
from mmdemo.data.importers.base import IMPORTERS, NOT_MINE, Recognition, choose
from mmdemo.data.packed import suffix_of
from mmdemo.data.rows import Row, Skipped
from mmdemo.data.sheets import EXCEL
from mmdemo.data.side_names import side_name_of
from mmdemo.data.source import Source
from mmdemo.errors import UserError
from mmdemo.store.splits import split_names

TABLES = (".csv", ".tsv", ".jsonl", *EXCEL)  # of the files in an archive, beside it


class Shards:
    """Archives, each read as what is in it most surely is."""

    name = "shards"
    about = "a folder of TAR or ZIP files, such as WebDataset's shards"

    def recognise(self, source: Source) -> Recognition:
        """A folder with archives and no media beside them."""
        found = [f for f in source.files if is_archive(f)] if source.is_folder else []
        if not found or source.media:
            return NOT_MINE
        return Recognition(0.8, f"It holds {len(found)} archives and no other media.", read_once=True)

    def rows(self, source: Source) -> Iterator[Row | Skipped]:
        """The rows of each archive in the order of their names; one that cannot be read is passed over."""
        archives = [f for f in source.files if is_archive(f)]
        tables = _tables_of(source, archives)
        read = {t for own in tables.values() for t in own}
        left = [str(t.relative_to(source.root)) for t in _tables(source) if t not in read]
        if left:
            source.note(f"Beside the archives {', '.join(left[:4])} was not read: unpack them to use it.")
        names = {f: side_name_of(source, f.with_name(f.name.partition(".")[0])) for f in archives}
        sides = split_names(names.values())
        number = 0
        for archive in archives:
            side = sides.get(names[archive], "")
            try:
                with unpacked(archive, source.within, keep=False) as folder:
                    home = inside(folder)
                    for table in tables.get(archive, []):
                        if source.is_inside(table) and not (home / table.name).exists():
                            shutil.copyfile(table, home / table.name)
                    part = Source(home, source.within or folder, source.modality)
                    chosen, _ = choose(part)
                    source.note(f"{archive.name} was read as {chosen.importer.about}.")
                    for row in chosen.importer.rows(part):
                        number += 1
                        if isinstance(row, Row):
                            yield replace(row, number=number, split=row.split or side, fleeting=True)
                        else:
                            yield replace(row, row=number)
                    for note in part.notes:
                        source.note(note)
            except UserError as e:
                number += 1
                yield Skipped(number, str(e), archive.name)


def _tables(source: Source) -> list[Path]:
    return [f for f in source.files if suffix_of(f) in TABLES and f.stat().st_size]


def _tables_of(source: Source, archives: list[Path]) -> dict[Path, list[Path]]:
    """The tables beside archives by the one whose files they name: metadata.csv of the only archive in its
    folder, as in train/ and in val/, and train.csv of train.zip.
    """
    if len(archives) == 1:
        return {archives[0]: _tables(source)}
    folders: dict[Path, list[Path]] = {}
    for archive in archives:
        folders.setdefault(archive.parent, []).append(archive)
    found: dict[Path, list[Path]] = {}
    for table in _tables(source):
        beside = folders.get(table.parent, [])
        stem = table.name.partition(".")[0].lower()
        named = [a for a in beside if a.name.partition(".")[0].lower() == stem]
        for archive in named[-1:] or (beside if len(beside) == 1 else []):
            found.setdefault(archive, []).append(table)
    return found


IMPORTERS.add(Shards.name, Shards())
