"""Whom a proxy asks for. Only proxies that are known to be ours are believed, and of what they say only what
they have seen themselves: from the right, up to the first address that is no proxy of ours.
"""

from __future__ import annotations

import ipaddress

from starlette.datastructures import Headers
from starlette.types import Scope

from mmdemo.settings import Network, Settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
PUBLIC_PART = 64  # bits of an IPv6 address that one network has


class Proxies:
    """The proxies in front of a page.

    Args:
        settings: where it is served, and the proxies that it was told.
    """

    def __init__(self, settings: Settings) -> None:
        self._told: list[Network] = settings.trusted_proxies
        self._on_space = settings.on_space  # all come through its proxies, which are in its own network
        self._shared = settings.share  # what comes through the tunnel comes from this machine

    def settle(self, scope: Scope, headers: Headers) -> None:
        """Have a request say who asks and how, as a proxy of ours tells it; else as its connection does."""
        ip = _address(str((scope.get("client") or ("",))[0]))
        if ip is None or not self._is_ours(ip):
            return
        said = ",".join(headers.getlist("x-forwarded-for")).split(",")
        for hop in map(_address, reversed(said)):
            if hop is None:
                break
            ip = hop
            if not self._is_between(ip):
                break
        scope["client"] = (str(ip), 0)
        if headers.get("x-forwarded-proto", "").strip().lower() == "https":
            scope["scheme"] = "https"

    def _is_ours(self, ip: Address) -> bool:
        """Whether a connection from there is of a proxy of ours."""
        return (
            (self._on_space and not ip.is_global)
            or (self._shared and ip.is_loopback)
            or any(ip in network for network in self._told)
        )

    def _is_between(self, ip: Address) -> bool:
        """Whether an address that one of ours has seen is another's of them."""
        inside = (self._on_space or self._shared) and not ip.is_global
        return inside or any(ip in network for network in self._told)


def network_of(scope: Scope) -> str:
    """The network that a request comes from."""
    host = str((scope.get("client") or ("",))[0])
    ip = _address(host)
    if isinstance(ip, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((ip, PUBLIC_PART), strict=False))
    return host if ip is None else str(ip)


def _address(text: str) -> Address | None:
    """The address in a hop, perhaps with its port; an IPv4 address within an IPv6 one is that."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        ip = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return ip.ipv4_mapped or ip if isinstance(ip, ipaddress.IPv6Address) else ip
