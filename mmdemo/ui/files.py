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
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes, urljoin, urlsplit

import httpx

from mmdemo.asker import current
from mmdemo.errors import UserError
from mmdemo.service.exchange import exchange_folder
from mmdemo.service.operations.requests import Medium, shown
from mmdemo.settings import Settings
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
    """

    folder: Path
    most_mb: int
    cure: str

    def __call__(self, value: object) -> Medium:
        """The file that a value means: a text, or an object with `path` or `url` as Gradio's clients send.

        Raises:
            UserError: it is none that may be opened.
        """
        name = value.get("path") or value.get("url") if isinstance(value, dict) else value
        if not isinstance(name, str) or not name:
            raise UserError("No file was given.", self.cure)
        if name.startswith("data:"):
            return Medium(path=self._decoded(name))
        if kept := KEPT.search(name):
            return Medium(item=kept.group(1))
        found = WAITING.path(name, current())
        if found is None and name.startswith(("http://", "https://")):
            found = self._fetched(name)
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
                        transport=_Pinned(self._public(parts.hostname)), timeout=READ_S, trust_env=False
                    ) as client,
                    client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as answer,
                ):
                    if answer.is_redirect:
                        url = urljoin(url, answer.headers.get("location", ""))
                        continue
                    answer.raise_for_status()
                    return self._written(answer, Path(unquote(parts.path)).name, end_s)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as e:
            raise UserError(f"{shown(url)} cannot be fetched.", self.cure) from e
        raise UserError(f"{shown(url)} leads on too often.", self.cure)

    def _written(self, answer: httpx.Response, name: str, end_s: float) -> Path:
        kind = answer.headers.get("content-type", "").partition(";")[0].strip()
        suffix = re.sub(r"[^\w.]", "", Path(name).suffix)[:12] or mimetypes.guess_extension(kind) or ""
        path, size = self.folder / f"fetched{suffix}", 0
        if answer.headers.get("content-encoding", "identity").strip().lower() != "identity":
            # what some kilobytes unpack to would be in memory before it could be measured
            raise UserError("What is at that address comes packed.", self.cure)
        with path.open("wb") as file:
            for piece in answer.iter_raw():
                size += len(piece)
                if size > self.most_mb * 1_000_000:
                    raise self._too_large("What is at that address")
                if time.monotonic() > end_s:
                    raise UserError(f"The address took over {WHOLE_S:.0f} s.", self.cure)
                file.write(piece)
        return path

    def _public(self, host: str) -> str:
        """An address of the public network that a host has.

        Raises:
            UserError: it has none, or also others.
        """
        found = {str(row[4][0]).partition("%")[0] for row in socket.getaddrinfo(host, None)}
        if not found or not all(is_public(address) for address in found):
            raise UserError(f"{shown(host)} is not on the public network.", self.cure)
        return sorted(found)[0]

    def _too_large(self, what: str) -> UserError:
        return UserError(f"{what} is over the limit of {self.most_mb} MB.", "Make it smaller first.")


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public network, and leads to no other: what holds an IPv4 address
    within it (6to4, Teredo, NAT64, mapped) is not asked where that leads.
    """
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        return ip in GLOBAL_6 and not any(ip in network for network in SPECIAL)
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in SPECIAL)


class _Pinned(httpx.HTTPTransport):
    """Connects to the address that was looked at, whatever the name means a moment later."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self._address = address

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.extensions = {**request.extensions, "sni_hostname": request.url.host}
        request.url = request.url.copy_with(host=self._address)  # the header Host stands already
        return super().handle_request(request)


@contextmanager
def sent_files(settings: Settings, cure: str) -> Iterator[SentFiles]:
    """What opens the files of one request; what it keeps for that is gone afterwards."""
    with tempfile.TemporaryDirectory(dir=exchange_folder(), ignore_cleanup_errors=True) as folder:
        yield SentFiles(Path(folder), settings.max_upload_mb, cure)
