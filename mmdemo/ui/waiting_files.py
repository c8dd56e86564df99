"""Files that scripts and agents send before they name them in a call: `POST /gradio_api/upload`, as Gradio's
clients send it. The answer is a name by which whoever sent a file, and nobody else, may have it opened.

The name is no path of this machine, and holds 64 random hex digits that only the sender is told. A file that
came with a session is opened for that session alone. It goes after an hour, or sooner where its sender has
sent too many; where too many wait of all senders together, the oldest go of whose network has most there.
"""

from __future__ import annotations

import re
import secrets
import shutil
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from gradio import route_utils
from gradio.route_utils import GradioMultiPartParser, upload_fn
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from mmdemo.asker import Asker
from mmdemo.bounds import quota_of
from mmdemo.errors import UserError
from mmdemo.service.exchange import exchange_folder
from mmdemo.settings import Settings
from mmdemo.ui.access.limits import by_most
from mmdemo.ui.bodies import bounded

NAME = re.compile(r"(?:\A|[/=])mmdemo/sent/([0-9a-f]{64})/([^/]+)\Z")
KEPT_S = 3600.0
MOST_AT_ONCE = 100  # files of one request
MOST_WAITING_BYTES, MOST_WAITING = 2_000_000_000, 10_000  # of all that wait
ROOM_FOR_NAMES = 1_000_000  # bytes of a request beside its files
LONGEST_FIELD = 10_000  # bytes of a part that is no file, which is held in memory


class BoundedForm(GradioMultiPartParser):
    """Gradio's own, which keeps every file of a form open until all have come, takes a thousand of them, and
    holds as much in memory as a file may have where a part has no file's name.
    """

    def __init__(self, headers: Headers, stream: AsyncGenerator[bytes, None], **named: Any) -> None:
        super().__init__(headers, self._closing(stream), **(named | {"max_files": MOST_AT_ONCE}))

    async def _closing(self, stream: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        """What comes. Each time that more is asked for all files are closed that have come whole: it may be
        long until more is there.
        """
        try:
            async for piece in stream:
                yield piece
                for file in self._files_to_close_on_error:
                    if self._current_part.file is None or file is not self._current_part.file.file:
                        file.close()
        except BaseException:  # whoever sends it has gone, or sends too much
            for file in self._files_to_close_on_error:
                file.close()
            raise

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        """See there.

        Raises:
            MultiPartException: a field is too long.
        """
        part = self._current_part
        if part.file is None and len(part.data) + end - start > LONGEST_FIELD:
            raise MultiPartException(f"A field has over {LONGEST_FIELD} bytes.")
        super().on_part_data(data, start, end)


route_utils.GradioMultiPartParser = BoundedForm  # by this name `upload_fn` makes its own


@dataclass(frozen=True)
class Waiting:
    """What one request brought."""

    folder: Path
    files: dict[str, Path]  # by the names that the answer gave them
    session: str  # of who sent it; empty: whoever knows the name
    sender: str  # with whom it is counted: the session, or the network where there is none
    network: str  # with whom all of a visitor's sessions are counted; of others again the sender
    bytes: int
    since_s: float  # of the monotonic clock


class WaitingFiles:
    """The files that wait to be named."""

    def __init__(self) -> None:
        self._uploads: OrderedDict[str, Waiting] = OrderedDict()
        self._lock = threading.Lock()

    async def receive(self, request: Request, asker: Asker, settings: Settings) -> list[str]:
        """Take the files of a request in; the names by which they can be opened.

        Args:
            request: a form whose `files` they are.
            asker: who sends them.
            settings: how large all of them together may be, and how much of one sender may wait.

        Raises:
            UserError: it is no form with files, or over the limit.
            OSError: they cannot be saved.
        """
        max_mb = settings.max_upload_mb
        token = secrets.token_hex(32)
        folder = exchange_folder() / f"sent-{secrets.token_hex(8)}"
        try:
            most = max_mb * 1_000_000 + ROOM_FOR_NAMES
            body = Request(request.scope, bounded(request.receive, most, lambda: _too_large(max_mb)))
            found, _, _ = await upload_fn(body, str(folder), max_mb * 1_000_000, None)
            if not 0 < len(found) <= MOST_AT_ONCE:
                raise _too_many(str(len(found)))
            files = {f"{place}-{Path(path).name}": Path(path) for place, path in enumerate(found)}
            size = sum(path.stat().st_size for path in files.values())
        except MultiPartException as e:
            shutil.rmtree(folder, ignore_errors=True)
            if "File size" in e.message:
                raise _too_large(max_mb) from e
            if "Headers" in e.message:
                raise UserError(
                    "A file's name in the form is too long, or has a character that none may have there.",
                    "Give the file another name.",
                ) from e
            if "Too many files" in e.message:
                raise _too_many(f"over {MOST_AT_ONCE}") from e
            raise UserError(
                "The form cannot be read.", "Send the files as 'files' of a multipart form."
            ) from e
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        sender = asker.session or asker.network
        network = sender if asker.may("annotator") else asker.address or sender
        upload = Waiting(folder, files, asker.session, sender, network, size, time.monotonic())
        quota = quota_of(asker, settings)
        own = (quota.mb * 1_000_000, quota.files) if quota is not None else None
        await run_in_threadpool(self._keep, token, upload, own)
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
                    self._uploads[token] = replace(upload, session=after, sender=after, network=after)

    def _keep(self, token: str, upload: Waiting, own: tuple[int, int] | None) -> None:
        """Keep what somebody sent, of whom so many bytes and files may wait; None: any number."""
        with self._lock:
            self._uploads[token] = upload
            old = self._forget_old()
            if own is not None:
                old += self._forget_oldest(upload.sender, *own)
            while (biggest := self._biggest()) is not None:
                old += self._forget_oldest(biggest, 0, 0, most=1)
        _remove(old)

    def _forget_old(self) -> list[Waiting]:
        """Forget what has waited for an hour; returns it, to be removed. The lock is held."""
        bound_s = time.monotonic() - KEPT_S
        return self._forget([t for t, upload in self._uploads.items() if upload.since_s <= bound_s])

    def _forget_oldest(self, sender: str, most_bytes: int, most_files: int, most: int = 0) -> list[Waiting]:
        """Forget the oldest of a sender, until so many bytes and files are left or so many are forgotten."""
        theirs = [(token, upload) for token, upload in self._uploads.items() if upload.sender == sender]
        size = sum(upload.bytes for _, upload in theirs)
        count = sum(len(upload.files) for _, upload in theirs)
        going: list[str] = []
        for token, upload in theirs:
            if (size <= most_bytes and count <= most_files) or (most and len(going) == most):
                break
            going.append(token)
            size, count = size - upload.bytes, count - len(upload.files)
        return self._forget(going)

    def _biggest(self) -> str | None:
        """Who has most, of those of the network that has most, where too much waits of all together."""
        by_size: Counter[tuple[str, str]] = Counter()
        by_count: Counter[tuple[str, str]] = Counter()
        for upload in self._uploads.values():
            by_size[upload.network, upload.sender] += upload.bytes
            by_count[upload.network, upload.sender] += len(upload.files)
        for counted, most in ((by_size, MOST_WAITING_BYTES), (by_count, MOST_WAITING)):
            if counted.total() > most:
                return by_most(counted)[0]
        return None

    def _forget(self, tokens: Sequence[str]) -> list[Waiting]:
        return [self._uploads.pop(token) for token in tokens]


def _remove(old: list[Waiting]) -> None:
    for upload in old:
        shutil.rmtree(upload.folder, ignore_errors=True)


def _too_many(count: str) -> UserError:
    return UserError(f"{count} files were sent.", f"Send 1 to {MOST_AT_ONCE}, each as 'files' of a form.")


def _too_large(max_mb: int) -> UserError:
    return UserError(f"The files are over the limit of {max_mb} MB.", "Send less at once.")


WAITING = WaitingFiles()  # of this process
