"""Folders of this machine whose files were imported: the database names each by an id, and only this file
knows where it is.

It is no part of a backup. So whatever a database says that came from elsewhere, it can name no file here but
below a folder that somebody at this machine has imported.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock

from mmdemo.errors import cannot_write
from mmdemo.store.durable import replacing

FILE = "folders.json"


@dataclass(frozen=True)
class KnownFolder:
    """A folder of this machine."""

    path: str  # the whole one, as it was named
    read: bool = False  # whether items are read from there


class KnownFolders:
    """The folders of a workspace.

    Args:
        folder: the workspace's.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._lock = FileLock(folder / f"{FILE}.lock", thread_local=False)
        self._read_at = -1  # the time of the file that `_known` was read from, in nanoseconds
        self._known: dict[str, KnownFolder] = {}

    def known(self) -> dict[str, KnownFolder]:
        """The folders by their ids; a file that cannot be read knows none."""
        try:
            written = self._path.stat().st_mtime_ns
            if written != self._read_at:
                found = json.loads(self._path.read_text(encoding="utf-8"))
                self._known = {str(key): KnownFolder(**one) for key, one in found.items()}
                self._read_at = written
        except (OSError, ValueError, TypeError, AttributeError):
            self._known, self._read_at = {}, -1
        return self._known

    def read_from(self, key: str) -> Path | None:
        """The folder of an id, where items may be read from it."""
        found = self.known().get(key)
        return Path(found.path) if found is not None and found.read else None

    def id_of(self, folder: Path, read: bool = False) -> str:
        """The id of a folder, which is known from now on.

        Args:
            folder: its whole path, which can be written down.
            read: whether items are read from there from now on.

        Raises:
            StorageError: that cannot be noted.
        """
        try:
            with self._lock:
                known = dict(self.known())
                key = next((k for k, one in known.items() if one.path == str(folder)), "")
                if key and (known[key].read or not read):
                    return key
                key = key or secrets.token_hex(16)
                known[key] = KnownFolder(str(folder), read)
                with replacing(self._path) as part:
                    told = {one: asdict(facts) for one, facts in known.items()}
                    part.write_text(json.dumps(told, indent=1), encoding="utf-8")
                return key
        except OSError as e:
            raise cannot_write(f"The folder {folder.name} could not be noted", e) from e
