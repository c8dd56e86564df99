"""Files of callers that are not at the page: a data: URL, the address of an upload, another http address.

No path of the server can be named: a file that was uploaded goes by the name that its sender was told
(`ui/waiting_files.py`). What is fetched comes from the public network only (a server that fetches what
strangers name would reach what only it can: OWASP, server-side request forgery), and everything ends at the
size that an upload may have.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import mimetypes
import re
import socket
import ssl
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, unquote_to_bytes, urljoin, urlsplit

import httpcore
import httpx

from mmdemo.asker import current
from mmdemo.errors import UserError
from mmdemo.service.exchange import exchange_folder
from mmdemo.service.operations.requests import Medium, shown
from mmdemo.settings import Settings
from mmdemo.ui.fetched_bytes import FETCHED
from mmdemo.ui.waiting_files import WAITING

FROM_CLIENT = "Pass handle_file(path)."
FROM_AGENT = (
    "Send a data: URL in base64, a public http(s) URL, or what POST /gradio_api/upload answers for the file."
)
READ_S, WHOLE_S = 10.0, 60.0  # for one piece of what is fetched, and for all of it
MOST_REDIRECTS = 5
GLOBAL_6 = ipaddress.ip_network("2000::/3")  # all that is given out of IPv6
SPECIAL = [  # what is in it, or in what Python calls global, and is no address of somebody's server
    ipaddress.ip_network(network)
    for network in (
        "2001::/23",  # protocols of the IETF: Teredo, benchmarks, ORCHID
        *("2001:db8::/32", "3fff::/20"),  # documentation
        "2002::/16",  # 6to4
        *("192.0.0.0/24", "192.88.99.0/24"),  # protocols of the IETF, relays of 6to4
        "168.63.129.16/32",  # what a machine at Azure asks of its host
    )
]
KEPT = re.compile(r"(?:^|/)mmdemo/media/([0-9a-f]{64})\Z")


@dataclass(frozen=True)
class SentFiles:
    """Opens what a caller sent as a file.

    Args:
        folder: for what comes within the request or is fetched; it goes when the request is answered.
        most_mb: how large it may be.
        cure: what the caller can do, in the words of where they ask.
        count: counts the bytes that are fetched, and refuses what is too much.
    """

    folder: Path
    most_mb: int
    cure: str
    count: Callable[[int], None]
    fetched: dict[str, Path] = field(default_factory=dict)  # by address

    def fetch(self, values: Iterable[object]) -> None:
        """Have what is at the addresses among values, before a call opens them: it takes as long as others
        let it take, so it is no work for a thread that answers.

        Raises:
            UserError: it cannot be had.
        """
        for value in values:
            name = _name(value)
            if names_address(value) and name not in self.fetched and WAITING.path(name, current()) is None:
                self.fetched[name] = self._fetched(name)

    def __call__(self, value: object) -> Medium:
        """The file that a value means: a text, or an object with `path` or `url` as Gradio's clients send.

        Raises:
            UserError: it is none that may be opened.
        """
        name = _name(value)
        if not name:
            raise UserError("No file was given.", self.cure)
        if name.startswith("data:"):
            return Medium(path=self._decoded(name))
        if kept := KEPT.search(name):
            return Medium(item=kept.group(1))
        found = WAITING.path(name, current()) or self.fetched.get(name)
        if found is None:
            raise UserError("That is no file that was uploaded here.", self.cure)
        return Medium(path=found)

    def _decoded(self, url: str) -> Path:
        head, comma, body = url.partition(",")
        kind, *options = head.removeprefix("data:").split(";")
        if len(body) > self.most_mb * 1_000_000 * 4 / 3 + 4:
            raise self._too_large("The file")
        try:
            if not comma:
                raise ValueError("no comma")
            plain = unquote_to_bytes(body)
            data = base64.b64decode(plain, validate=True) if "base64" in options else plain
        except (ValueError, binascii.Error) as e:
            raise UserError("The data: URL cannot be read.", self.cure) from e
        path = self.folder / f"sent{mimetypes.guess_extension(kind.strip().lower()) or ''}"
        path.write_bytes(data)
        return path

    def _fetched(self, url: str) -> Path:
        end_s = time.monotonic() + WHOLE_S
        try:
            for _ in range(MOST_REDIRECTS + 1):
                parts = urlsplit(url)
                if parts.scheme not in {"http", "https"} or not parts.hostname:
                    raise UserError(f"{shown(url)} is no http address.", self.cure)
                with (
                    httpx.Client(
                        transport=_Pinned(self._public(parts.hostname), end_s),
                        timeout=READ_S,
                        trust_env=False,
                    ) as client,
                    client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as answer,
                ):
                    if answer.is_redirect:
                        url = urljoin(url, answer.headers.get("location", ""))
                        continue
                    answer.raise_for_status()
                    return self._written(answer, Path(unquote(parts.path)).name)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as e:
            if time.monotonic() > end_s:
                raise UserError(f"{shown(url)} took over {WHOLE_S:.0f} s.", self.cure) from e
            raise UserError(f"{shown(url)} cannot be fetched.", self.cure) from e
        raise UserError(f"{shown(url)} leads on too often.", self.cure)

    def _written(self, answer: httpx.Response, name: str) -> Path:
        kind = answer.headers.get("content-type", "").partition(";")[0].strip()
        suffix = re.sub(r"[^\w.]", "", Path(name).suffix)[:12] or mimetypes.guess_extension(kind) or ""
        path, size = self.folder / f"fetched-{len(self.fetched)}{suffix}", 0
        if answer.headers.get("content-encoding", "identity").strip().lower() != "identity":
            # what some kilobytes unpack to would be in memory before it could be measured
            raise UserError("What is at that address comes packed.", self.cure)
        with path.open("wb") as file:
            for piece in answer.iter_raw():
                size += len(piece)
                if size > self.most_mb * 1_000_000:
                    raise self._too_large("What is at that address")
                self.count(len(piece))
                file.write(piece)
        return path

    def _public(self, host: str) -> str:
        """An address of the public network that a host has.

        Raises:
            UserError: it has none, or also others; which of these is not told, since names of one's own
                network are no stranger's to ask for.
        """
        try:
            found = {str(row[4][0]).partition("%")[0] for row in socket.getaddrinfo(host, None)}
        except (OSError, UnicodeError):  # there is no such name
            found = set()
        if not found or not all(is_public(address) for address in found):
            raise UserError(f"{shown(host)} is not on the public network.", self.cure)
        return sorted(found)[0]

    def _too_large(self, what: str) -> UserError:
        return UserError(f"{what} is over the limit of {self.most_mb} MB.", "Make it smaller first.")


def names_address(value: object) -> bool:
    """Whether a file is named by an address, and is none of the media that are kept here."""
    name = _name(value)
    return name.startswith(("http://", "https://")) and not KEPT.search(name)


def _name(value: object) -> str:
    """How a file is named by a text, or by an object as Gradio's clients send."""
    name = value.get("path") or value.get("url") if isinstance(value, dict) else value
    return name if isinstance(name, str) else ""


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public network, and leads to no other: what holds an IPv4 address
    within it (6to4, Teredo, NAT64, mapped) is not asked where that leads.
    """
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        return ip in GLOBAL_6 and not any(ip in network for network in SPECIAL)
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in SPECIAL)


class _Pinned(httpx.HTTPTransport):
    """Connects to the address that was looked at, whatever the name means by then, and not for long."""

    def __init__(self, address: str, end_s: float) -> None:
        super().__init__()
        self._address = address
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(trust_env=False), network_backend=_Ending(end_s)
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.extensions = {**request.extensions, "sni_hostname": request.url.host}
        request.url = request.url.copy_with(host=self._address)  # the header Host stands already
        return super().handle_request(request)


class _Ending(httpcore.NetworkBackend):
    """Connections that all end at a time of the monotonic clock, however little comes and however often:
    httpx bounds each read alone.
    """

    def __init__(self, end_s: float) -> None:
        self._end_s = end_s

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        within = _left(self._end_s, timeout, httpcore.ConnectTimeout)
        stream = httpcore.SyncBackend().connect_tcp(host, port, within, local_address, socket_options)
        return _EndingStream(stream, self._end_s)


class _EndingStream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, end_s: float) -> None:
        self._stream, self._end_s = stream, end_s

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._end_s, timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._end_s, timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        within = _left(self._end_s, timeout, httpcore.ConnectTimeout)
        return _EndingStream(self._stream.start_tls(ssl_context, server_hostname, within), self._end_s)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(end_s: float, timeout: float | None, over: type[Exception]) -> float:
    """How long one step may take, in seconds."""
    left = end_s - time.monotonic()
    if left <= 0:
        raise over("The time for all of it is over.")
    return left if timeout is None else min(left, timeout)


@contextmanager
def sent_files(settings: Settings, cure: str) -> Iterator[SentFiles]:
    """What opens the files of one request of who is asking; what it keeps for that is gone afterwards."""
    with (
        FETCHED.counted(current(), settings) as count,
        tempfile.TemporaryDirectory(dir=exchange_folder(), ignore_cleanup_errors=True) as folder,
    ):
        yield SentFiles(Path(folder), settings.max_upload_mb, cure, count)
