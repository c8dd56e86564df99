"""Files that scripts and agents send before they name them in a call: `POST /gradio_api/upload`, as Gradio's
clients send it. The answer is a name by which whoever sent a file, and nobody else, may have it opened.

The name is no path of this machine, and holds 64 random hex digits that only the sender is told. A file that
came with a session is opened for that session alone. It goes after an hour, or sooner where many wait.
"""

from __future__ import annotations

import re
import secrets
import shutil
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote

from gradio.route_utils import upload_fn
from starlette.concurrency import run_in_threadpool
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from mmdemo.asker import Asker
from mmdemo.errors import UserError
from mmdemo.service.exchange import exchange_folder
from mmdemo.ui.refusals import bounded

NAME = re.compile(r"(?:\A|[/=])mmdemo/sent/([0-9a-f]{64})/([^/]+)\Z")
KEPT_S = 3600.0
MOST_AT_ONCE = 100  # files of one request
MOST_WAITING_BYTES = 2_000_000_000  # of all that wait: the oldest give way
ROOM_FOR_NAMES = 1_000_000  # bytes of a request beside its files


@dataclass(frozen=True)
class Waiting:
    """What one request brought."""

    folder: Path
    files: dict[str, Path]  # by the names that the answer gave them
    session: str  # of who sent it; empty: whoever knows the name
    bytes: int
    since_s: float  # of the monotonic clock


class WaitingFiles:
    """The files that wait to be named."""

    def __init__(self) -> None:
        self._uploads: OrderedDict[str, Waiting] = OrderedDict()
        self._lock = threading.Lock()

    async def receive(self, request: Request, asker: Asker, max_mb: int) -> list[str]:
        """Take the files of a request in; the names by which they can be opened.

        Args:
            request: a form whose `files` they are.
            asker: who sends them.
            max_mb: of all of them together.

        Raises:
            UserError: it is no form with files, or over the limit.
            OSError: they cannot be saved.
        """
        token = secrets.token_hex(32)
        folder = exchange_folder() / f"sent-{secrets.token_hex(8)}"
        try:
            most = max_mb * 1_000_000 + ROOM_FOR_NAMES
            body = Request(request.scope, bounded(request.receive, most, lambda: _too_large(max_mb)))
            found, _, _ = await upload_fn(body, str(folder), max_mb * 1_000_000, None)
            if not 0 < len(found) <= MOST_AT_ONCE:
                raise UserError(
                    f"{len(found)} files were sent.", f"Send 1 to {MOST_AT_ONCE}, each as 'files' of a form."
                )
            files = {f"{place}-{Path(path).name}": Path(path) for place, path in enumerate(found)}
            size = sum(path.stat().st_size for path in files.values())
        except MultiPartException as e:
            shutil.rmtree(folder, ignore_errors=True)
            if "size" in e.message:
                raise _too_large(max_mb) from e
            raise UserError(
                "The form cannot be read.", "Send the files as 'files' of a multipart form."
            ) from e
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        upload = Waiting(folder, files, asker.session, size, time.monotonic())
        await run_in_threadpool(self._keep, token, upload)
        return [f"mmdemo/sent/{token}/{name}" for name in files]

    def path(self, name: str, asker: Asker) -> Path | None:
        """The file of a name, or of an address that ends with it; None: it is none that this asker sent."""
        named = NAME.search(name)
        if named is None:
            return None
        with self._lock:
            old = self._forget_old()
            upload = self._uploads.get(named.group(1))
        _remove(old)
        if upload is None or (upload.session and upload.session != asker.session):
            return None
        path = upload.files.get(named.group(2)) or upload.files.get(unquote(named.group(2)))
        return path if path is not None and path.is_file() else None

    def hand_over(self, before: str, after: str) -> None:
        """What came with a session is of another one of the same person from now on."""
        with self._lock:
            for token, upload in self._uploads.items():
                if upload.session == before:
                    self._uploads[token] = replace(upload, session=after)

    def _keep(self, token: str, upload: Waiting) -> None:
        with self._lock:
            self._uploads[token] = upload
            old = self._forget_old()
        _remove(old)

    def _forget_old(self) -> list[Waiting]:
        """Forget what has waited for an hour, and the oldest while there is too much; returns it, to be
        removed. The lock is held.
        """
        old: list[Waiting] = []
        bytes_left = MOST_WAITING_BYTES - sum(u.bytes for u in self._uploads.values())
        bound_s = time.monotonic() - KEPT_S
        for token, upload in list(self._uploads.items()):
            if upload.since_s > bound_s and bytes_left >= 0:
                break
            del self._uploads[token]
            bytes_left += upload.bytes
            old.append(upload)
        return old


def _remove(old: list[Waiting]) -> None:
    for upload in old:
        shutil.rmtree(upload.folder, ignore_errors=True)


def _too_large(max_mb: int) -> UserError:
    return UserError(f"The files are over the limit of {max_mb} MB.", "Send less at once.")


WAITING = WaitingFiles()  # of this process
