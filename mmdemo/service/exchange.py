"""Files from the browser and back to it: uploads that wait for their import, downloads by a token."""

from __future__ import annotations

import atexit
import re
import secrets
import shutil
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

from mmdemo.errors import UserError
from mmdemo.media.below import below, is_below
from mmdemo.store.texts import short_name
from mmdemo.store.unfinished import LOCK, unfinished

KEPT_S = 24 * 3600.0  # an upload or download that nobody fetched is deleted after a day
_folder: Path | None = None
_open = ExitStack()  # of the folder, for as long as this process lives
_downloads: dict[str, Path] = {}
_lock = threading.Lock()


def exchange_folder() -> Path:
    """The temporary folder of this process, outside everything that is served by path; it ends with it."""
    global _folder
    with _lock:
        if _folder is None:
            _folder = _open.enter_context(unfinished(Path(tempfile.gettempdir())))
            atexit.register(_open.close)
        return _folder


def new_folder() -> Path:
    """A folder of its own in it."""
    return Path(tempfile.mkdtemp(dir=exchange_folder()))


def sweep_exchange() -> None:
    """Delete what has lain longer than a day."""
    bound = time.time() - KEPT_S
    for path in exchange_folder().iterdir():
        with suppress(OSError):  # it is just being taken away, or is looked at again the next time
            if path.name == LOCK or path.lstat().st_mtime >= bound:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()


def batch_folder(batch: str) -> Path:
    """Where the files of one import wait.

    Raises:
        UserError: not a batch's name.
    """
    if not re.fullmatch(r"[0-9a-z]{8,40}", batch):
        raise UserError("The upload has no valid batch.", "Reload the page.")
    return exchange_folder() / f"batch-{batch}"


def remove_batch(folder: Path) -> None:
    """Remove the files of one import; a folder that is none of this process's uploads stays: which it is may
    be told by a file of the workspace, and that by whoever has made it.
    """
    if is_below(exchange_folder(), folder):
        shutil.rmtree(folder, ignore_errors=True)


def file_in_batch(batch: str, name: str) -> Path:
    """Where a file of that name, perhaps with folders in it, waits; names that are too long are shortened.

    Raises:
        UserError: not a name that can be used.
    """
    parts = [p for p in name.replace("\\", "/").split("/") if p not in {"", "."}]
    if not parts or ".." in parts or any("\x00" in p for p in parts):
        raise UserError(f"{name!r} is no file name that can be used.", "Rename the file.")
    return below(batch_folder(batch), *map(short_name, parts))


def pack(folder: Path, name: str) -> Path:
    """A folder as a zip of that name beside it; the folder goes."""
    packed = shutil.make_archive(str(folder.parent / name), "zip", folder)
    shutil.rmtree(folder)
    return Path(packed)


def offer(path: Path) -> str:
    """Make a file fetchable; returns the address below the page's own."""
    token = secrets.token_urlsafe(24)
    with _lock:
        _downloads[token] = path
    return f"mmdemo/download/{token}"


def download_path(token: str) -> Path | None:
    """The file behind a token."""
    with _lock:
        path = _downloads.get(token)
    return path if path is not None and is_below(exchange_folder(), path) and path.is_file() else None
