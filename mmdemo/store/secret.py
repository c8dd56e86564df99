"""The workspace's secret: what sessions are signed with, and keys are known again by. It is no part of a
backup, so nobody who made one can sign for this workspace.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from filelock import FileLock

from mmdemo.errors import DamagedError, cannot_write
from mmdemo.store.durable import replacing

FILE = "access.key"
BYTES = 32


def secret_of(folder: Path) -> bytes:
    """The secret of a workspace, made where there is none; only its owner may read the file.

    Raises:
        StorageError: it can be neither read nor written.
        DamagedError: it is not as it was written.
    """
    path = folder / FILE
    try:
        with FileLock(folder / f"{FILE}.lock"):
            if path.is_file():
                found = path.read_bytes()
                if len(found) != BYTES:
                    raise DamagedError(
                        f"The key {path} has {len(found)} bytes and not {BYTES}.",
                        "Bring it back, or delete it: then all sessions, invitations and tokens are over.",
                    )
                path.chmod(0o600)
                return found
            made = secrets.token_bytes(BYTES)
            with replacing(path) as part:  # which nobody else may read from the beginning
                part.write_bytes(made)
            return made
    except OSError as e:
        raise cannot_write(f"The key {path} cannot be used", e, named=True) from e
