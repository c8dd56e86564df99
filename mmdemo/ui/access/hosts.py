"""Under which names this page is served, and which pages may therefore ask for something.

A browser sends a request wherever a foreign page tells it to. Two things tell such a request from one's own:
the name that it was sent to (a foreign name may lead to 127.0.0.1 a moment after its page was loaded, which
is called DNS rebinding), and the page that it comes from.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from mmdemo.settings import Settings

THIS_MACHINE = ("127.0.0.1", "localhost", "[::1]")
EVERYWHERE = ("0.0.0.0", "::", "[::]")  # as the name to serve at: at each address of this machine
HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?")
PORTS = {"http": "80", "https": "443"}
Origin = tuple[str, str, str]  # scheme, name, port


class Hosts:
    """The names of a page.

    Args:
        settings: where it is served, and the further names that it was told.
    """

    def __init__(self, settings: Settings) -> None:
        self.on_space = settings.on_space
        self._own: set[Origin] = set()
        self._any_address = self.on_space or settings.server_name in EVERYWHERE
        self._names = {*THIS_MACHINE, _name(settings.server_name)}
        self._told = [told for told in re.split(r"[,\s]+", settings.hosts) if told]
        for told in self._told:
            self.add(told)
        self.add(f"https://{settings.space_host}")

    def add(self, address: str) -> None:
        """The page is served at this address too, such as a share link. One without a scheme is served by
        both, and one without a port at the usual ones.
        """
        scheme, _, rest = address.rpartition("://")
        host = rest.partition("/")[0]
        if name := _name(host):
            self._names.add(name)
            self._own |= {(one, *_with_port(host, one)) for one in PORTS if scheme.lower() in ("", one)}

    def for_people(self, served: str, root: str = "") -> str:
        """The address by which people reach the page: the first further name that it was told, by https where
        that has no scheme; else the one that it is served at.

        Args:
            served: that one.
            root: the path that a proxy has the page at, or its whole address.
        """
        if root.startswith(tuple(f"{scheme}://" for scheme in PORTS)):
            return f"{root.rstrip('/')}/"
        if not self._told:
            return served
        first = self._told[0].rstrip("/")
        first = first if "://" in first else f"https://{first}"
        path = "" if urlsplit(first).path else root.strip("/")
        return f"{first}/{path}/" if path else f"{first}/"

    def knows(self, host: str) -> bool:
        """Whether a Host header names this page. An address in digits, where it is served at all of them, is
        no name that could lead elsewhere first.
        """
        name = _name(host)
        return bool(name) and (name in self._names or (self._any_address and _is_address(name)))

    def may_be_asked_as(self, forwarded: str, host: str) -> bool:
        """Whether a proxy may say that it was asked under a name: one of this page, at a port where that is
        known to be served: the usual ones, those that were told, and that of the Host itself.
        """
        name, ports = _name(forwarded), {_with_port(forwarded, scheme)[1] for scheme in PORTS}
        known = {*PORTS.values(), *(port for _, own, port in self._own if own == name)}
        known |= {_with_port(host, scheme)[1] for scheme in PORTS}
        return self.knows(forwarded) and ports <= known

    def is_own(self, origin: str, host: str, scheme: str = "http") -> bool:
        """Whether an origin is a page of ours.

        Args:
            origin: as a header says it, or the address of a page.
            host: the Host header of the same request.
            scheme: of the request, which says the port where the host has none.
        """
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        if parts.scheme not in PORTS or not _name(parts.netloc):
            return False
        if (parts.scheme, *_with_port(parts.netloc, parts.scheme)) in self._own:
            return True  # a proxy in front may have changed the Host
        return _with_port(parts.netloc, parts.scheme) in {_with_port(host, s) for s in (scheme, parts.scheme)}


def _name(host: str) -> str:
    """The name in a Host header, small and without its port; empty: it is none."""
    found = HOST.fullmatch(host.strip())
    if found is None:
        try:
            return f"[{ipaddress.IPv6Address(host)}]"  # as settings name it
        except ValueError:
            return ""
    return found.group(1).lower().rstrip(".")


def _with_port(host: str, scheme: str) -> tuple[str, str]:
    found = HOST.fullmatch(host.strip())
    return _name(host), (found.group(2) if found and found.group(2) else PORTS[scheme])


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
