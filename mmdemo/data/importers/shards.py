"""A folder of archives: WebDataset's shards, or a ZIP for each split. One is unpacked at a time, so that a
collection need not fit on the disk twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mmdemo.data.archives import inside, is_archive, unpacked
from mmdemo.data.importers.base import IMPORTERS, NOT_MINE, Recognition, choose
from mmdemo.data.rows import Row, Skipped
from mmdemo.data.side_names import side_word
from mmdemo.data.source import Source
from mmdemo.errors import UserError
from mmdemo.store.splits import split_names


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
        names = {f: side_word(f.name.partition(".")[0]) for f in archives}
        sides = split_names(names.values())
        number = 0
        for archive in archives:
            side = sides.get(names[archive], "")
            try:
                with unpacked(archive, source.within, keep=False) as folder:
                    part = Source(inside(folder), source.within or folder, source.modality)
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


IMPORTERS.add(Shards.name, Shards())
