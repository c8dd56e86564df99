"""The address that the page is served at: whether it can be, before anything is opened for it."""

from __future__ import annotations

import errno
import socket

from mmdemo.errors import UserError, reason
from mmdemo.settings import Settings

FREE_PORTS = "7860 to 7959"  # what Gradio tries where no port is named


def require_address(settings: Settings) -> None:
    """Refuse an address that is not this machine's, and a port that cannot be had.

    Raises:
        UserError: which, and why.
    """
    name, port = settings.server_name, settings.server_port
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as e:
        raise _no_address(name) from e
    family, kind, protocol, _, address = found[0]
    try:
        with socket.socket(family, kind, protocol) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as of a page that has just ended
            tried.bind(address)
    except OSError as e:
        if e.errno == errno.EADDRINUSE:
            raise port_is_taken(settings) from e
        if e.errno == errno.EADDRNOTAVAIL:
            raise _no_address(name) from e
        raise UserError(
            f"Port {port} on {name} cannot be served: {reason(e)}.", "Name another with GRADIO_SERVER_PORT."
        ) from e


def port_is_taken(settings: Settings) -> UserError:
    """What to say where another program has the port."""
    return UserError(
        f"Port {settings.server_port or f'from {FREE_PORTS}'} on {settings.server_name} cannot be served: "
        "another program has it, perhaps mmdemo itself.",
        "End that one, or name another with GRADIO_SERVER_PORT.",
    )


def _no_address(name: str) -> UserError:
    return UserError(
        f"{name[:200]!r} is no address of this machine.",
        "Set GRADIO_SERVER_NAME to 127.0.0.1, or to 0.0.0.0 for others on the network too.",
    )
