"""The application that Gradio serves, with the gate around all of it: middleware that is handed to Gradio
stands behind its own, which answers foreign pages by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gradio.routes import App, ORJSONResponse
from starlette.types import ASGIApp

from mmdemo.ui.kept_page import KeptPage


class GatedApp(App):
    """Gradio's application behind a gate.

    Args:
        gate: puts the gate around an application.
        of_links: puts around it what tells other sites of a link.
        of_fastapi: what the application is made with.
    """

    def __init__(
        self, gate: Callable[[ASGIApp], ASGIApp], of_links: Callable[[ASGIApp], ASGIApp], **of_fastapi: Any
    ) -> None:
        self._gate, self._of_links = gate, of_links
        super().__init__(default_response_class=ORJSONResponse, **of_fastapi)

    def build_middleware_stack(self) -> ASGIApp:
        """The gate, and behind it everything else: the page as it is kept, and what makes it."""
        page = KeptPage(super().build_middleware_stack(), lambda: self.get_blocks().share)
        return self._gate(self._of_links(page))
