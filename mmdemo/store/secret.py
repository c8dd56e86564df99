"""The workspace's secret: what sessions are signed with, and keys are known again by. It is no part of a
backup, so nobody who made one can sign for this workspace.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from filelock import FileLock

from mmdemo.errors import cannot_write

FILE = "access.key"
BYTES = 32


def secret_of(folder: Path) -> bytes:
    """The secret of a workspace, made where there is none; only its owner may read the file.

    Raises:
        StorageError: it can be neither read nor written.
    """
    path = folder / FILE
    try:
        with FileLock(folder / f"{FILE}.lock"):
            if path.is_file() and len(found := path.read_bytes()) == BYTES:
                path.chmod(0o600)
                return found
            made = secrets.token_bytes(BYTES)
            with suppress(FileNotFoundError):
                path.unlink()
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            path.write_bytes(made)
            return made
    except OSError as e:
        raise cannot_write(f"The key {path} cannot be used", e, named=True) from e
