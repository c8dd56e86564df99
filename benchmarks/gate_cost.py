"""What the gate costs a request of the page, which brings its session.

    python benchmarks/gate_cost.py

A request passes the gate and nothing else a thousand times, and the same reader without it as often. They
take turns, and the least of five rounds counts.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

import common  # noqa: F401  puts the project on the path
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from mmdemo.service.access import Admitted, new_session
from mmdemo.service.app import App
from mmdemo.settings import load_settings
from mmdemo.ui.access.gate import Gate
from mmdemo.ui.access.hosts import Hosts

CALLS, ROUNDS = 1000, 5


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Nothing but an answer."""
    await JSONResponse({})(scope, receive, send)


def seconds(app: ASGIApp, headers: list[tuple[bytes, bytes]]) -> float:
    """What a thousand requests take."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: Any) -> None:
        pass

    async def ask() -> float:
        begun = time.perf_counter()
        for _ in range(CALLS):
            scope = {
                "type": "http",
                "method": "POST",
                "path": "/mmdemo/api/status",
                "scheme": "http",
                "headers": headers,
                "client": ("127.0.0.1", 1),
            }
            await app(scope, receive, send)
        return time.perf_counter() - begun

    return asyncio.run(ask())


def main() -> None:
    """Print the cost of a request alone at one's machine, and as an annotator where others can ask."""
    for name, flags in (("at this machine", {}), ("an annotator's", {"server_name": "0.0.0.0"})):
        workspace = Path(tempfile.mkdtemp(prefix="mmdemo-benchmark-"))
        app = App(load_settings({}, workspace=workspace, device="cpu", samples=False, **flags))
        gate = Gate(answer, app, Hosts(app.settings))
        gate._rates.wait_s = lambda *given, **named: 0.0  # type: ignore[method-assign]
        grant, _ = app.access.grant("invitation", "annotator", "", 1, 1)
        who = Admitted("annotator", "", f"grant:{grant.id}") if flags else Admitted()
        cookie = f"mmdemo-{app.access.name}={app.access.text_of(new_session(), who)}"
        headers = [
            (b"host", b"127.0.0.1:7860"),
            (b"origin", b"http://127.0.0.1:7860"),
            (b"sec-fetch-site", b"same-origin"),
            (b"content-type", b"application/json"),
            (b"cookie", cookie.encode()),
        ]
        took = [(seconds(answer, headers), seconds(gate, headers)) for _ in range(ROUNDS)]
        least, through = (min(side) for side in zip(*took, strict=True))
        print(f"a request {name}: {1e6 * (through - least) / CALLS:+.0f} µs through the gate")
        app.close()


if __name__ == "__main__":
    main()
