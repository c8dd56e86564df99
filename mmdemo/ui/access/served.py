"""What the process serves: one row a route. What is in no row is not served, whoever asks.

Gradio brings many routes that this page does not use: they fetch addresses, serve its cache by path, edit the
page's own code or tell of other people's calls. They are closed by standing here in no row.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from starlette.types import Scope

Body = Literal["nothing", "json", "form", "bytes"]
LOOK, ASK = ("GET", "HEAD"), ("POST",)


@dataclass(frozen=True)
class Served:
    """A route."""

    path: str  # a regular expression of the whole path
    methods: tuple[str, ...] = LOOK
    body: Body = "nothing"  # what a POST of it takes
    counted: bool = False  # against what one may ask in a minute
    of_page: bool = False  # a file of the page, which is the same for everybody


GRADIO = "/gradio_api"
CALL = rf"{GRADIO}/(run|api|call|call/v2)/[^/]+/?"
TABLE = (
    # The page and its files.
    Served("/", counted=True),
    Served("/config/?", counted=True),
    Served(r"/(static|assets|svelte)/.+", of_page=True),
    Served(rf"({GRADIO})?/theme\.css", of_page=True),
    Served("/mmdemo/font/[^/]+", of_page=True),
    Served("/mmdemo/words/[^/]+", of_page=True),
    Served("/mmdemo/card", counted=True),
    Served(r"/(favicon\.ico|robots\.txt|manifest\.json|monitoring/summary)", of_page=True),
    Served(rf"{GRADIO}/(info/?|openapi\.json|startup-events|app_id/?)", counted=True),
    # Gradio's calls: by name for scripts, by number for the page.
    Served(CALL, ASK, "json", counted=True),
    Served(rf"{GRADIO}/call/(v2/)?[^/]+/[^/]+", counted=True),
    Served(rf"{GRADIO}/queue/join", ASK, "json", counted=True),
    Served(rf"{GRADIO}/queue/data", counted=True),
    Served(rf"{GRADIO}/(cancel|reset/?)", ASK, "json", counted=True),
    Served(rf"{GRADIO}/heartbeat/[^/]+", counted=True),
    Served(rf"{GRADIO}/upload", ASK, "form", counted=True),
    # Agents.
    Served(rf"{GRADIO}/mcp/?", ("GET", "DELETE"), counted=True),
    Served(rf"{GRADIO}/mcp/?", ASK, "json", counted=True),
    Served(rf"{GRADIO}/mcp/schema", counted=True),  # `sse` and `messages` answer before they call
    # Our own.
    Served("/mmdemo/(media|thumb)/[^/]+"),  # as they are, or made once: a page shows hundreds
    Served("/mmdemo/(player|frame|strip|peaks|sound)/[^/]+", counted=True),
    Served(rf"({GRADIO}/file=)?/?mmdemo/download/[^/]+"),
    Served("/mmdemo/api/[^/]+", ASK, "json", counted=True),
    Served("/mmdemo/(sign-in|sign-out)", ASK, "json", counted=True),
    Served("/mmdemo/hub/(sign-in|callback)", counted=True),
    Served("/mmdemo/(upload|live)", ASK, "bytes", counted=True),
)
_PATHS = tuple((re.compile(row.path), row) for row in TABLE)


def rows_of(path: str) -> list[Served]:
    """The rows that a path stands in, one a group of methods; none: it is not served."""
    return [row for pattern, row in _PATHS if pattern.fullmatch(path)]


def path_of(scope: Scope) -> str:
    """The path of a request below the one that a proxy has the page at (GRADIO_ROOT_PATH)."""
    path, root = str(scope["path"]), str(scope.get("root_path") or "").rstrip("/")
    return path[len(root) :] or "/" if root and f"{path}/".startswith(f"{root}/") else path
