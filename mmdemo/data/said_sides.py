"""Sides that a source says of a file in some of its rows and not in others, however far apart these are."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mmdemo.data.import_ledger import digest
from mmdemo.data.rows import Row

KEY_BYTES = 8  # by which a file is known: of 10 million the chance is 1 in 400,000 that two share one


def file_key(row: Row, root: Path) -> int:
    """What stands for a row's file in every process; 0: it lies in no folder that will be read again.

    Args:
        row: of the source.
        root: the folder of its files, which is another one each time an archive is unpacked.
    """
    if row.file is None or row.fleeting or not row.file.is_relative_to(root):
        return 0
    return int.from_bytes(digest(row.file.relative_to(root).as_posix())[:KEY_BYTES], "little", signed=True)


class SaidSides:
    """Listens to all rows of a source. It keeps 8 bytes of a file until the last of them."""

    def __init__(self) -> None:
        self._silent, self._said = array("q"), array("q")  # files of rows without a side, and with one
        self._sides: list[str] = []  # of `_said`, each side as one string

    def hear(self, key: int, side: str) -> None:
        """A row says a side of a file, or none.

        Args:
            key: of the file.
            side: empty: none.
        """
        keys = self._said if side else self._silent
        if not key or (keys and keys[-1] == key and (not side or self._sides[-1] == side)):
            return
        keys.append(key)
        if side:
            self._sides.append(side)

    def of_both(self) -> Mapping[int, str]:
        """The sides of the files that have rows of both kinds, by their keys: of each what is said first."""
        if not self._silent or not self._said:
            return {}
        said, at = np.unique(np.frombuffer(self._said, np.int64), return_index=True)
        wanted = np.isin(said, np.frombuffer(self._silent, np.int64))
        return {int(key): self._sides[i] for key, i in zip(said[wanted], at[wanted], strict=True)}
