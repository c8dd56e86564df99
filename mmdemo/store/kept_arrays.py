"""Arrays that are kept in the cache, a file each: one that is damaged goes, and is made anew."""

from __future__ import annotations

import logging
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmdemo.finite import rows_of_numbers

log = logging.getLogger(__name__)
DAMAGED = (OSError, ValueError, TypeError, EOFError, KeyError, zipfile.BadZipFile, zlib.error)


def read_arrays(path: Path, names: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """The arrays of a .npz file by their names.

    Args:
        path: of the file.
        names: only these, where it has them; none: all.

    Returns:
        Empty where there is no such file, or a damaged one: that is removed.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            found = {name: kept[name] for name in kept.files if name in names or not names}
        if all(rows_of_numbers(array).all() for array in found.values() if array.dtype.kind == "f"):
            return found
        log.warning("%s holds what is no number, and is made anew", path.name)
    except FileNotFoundError:
        return {}
    except DAMAGED as e:
        log.warning("%s is damaged and made anew: %s", path.name, e)
    path.unlink(missing_ok=True)
    return {}
