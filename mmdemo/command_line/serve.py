"""How the page is served from a terminal."""

from __future__ import annotations

from mmdemo.command_line.ending import ended_within
from mmdemo.settings import Settings


def serve_page(settings: Settings) -> None:
    """Serve the page until it is ended. The address is checked before Gradio is imported: that takes seconds,
    and fails at variables that cannot be, which were checked with the settings.

    Raises:
        UserError: the address is none of this machine, or the port is taken.
    """
    from mmdemo.ui.listening import require_address

    require_address(settings)
    from mmdemo.ui.shell import serve

    with ended_within():
        serve(settings)
