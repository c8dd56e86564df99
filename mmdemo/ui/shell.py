"""The page's table of contents: the header, one line a tab, the API, and the server that serves them."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Collection
from dataclasses import asdict
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

import gradio as gr
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from mmdemo.asker import IN_WORDS
from mmdemo.errors import MmdemoError, UserError, one_line
from mmdemo.label_kinds import LABEL_KINDS
from mmdemo.service.app import App
from mmdemo.service.closing import closing_ends_s
from mmdemo.service.operations.page import modalities
from mmdemo.settings import Settings, believing_nobody
from mmdemo.store.page_address import note_address
from mmdemo.ui.access.connections import counted
from mmdemo.ui.access.gate import Gate
from mmdemo.ui.access.hosts import Hosts
from mmdemo.ui.access.server import GatedApp
from mmdemo.ui.api import add_endpoints, take_as_sent
from mmdemo.ui.link_cards import LinkCards
from mmdemo.ui.listening import port_is_taken
from mmdemo.ui.look import frame, read_asset, style_sheet, theme
from mmdemo.ui.mcp import answer_agents
from mmdemo.ui.queued_answers import MOST, QueuedAnswers, require_known
from mmdemo.ui.refusals import PlainRefusals, refused_by_gradio, unreadable
from mmdemo.ui.routes import page_routes
from mmdemo.ui.start_words import tell
from mmdemo.ui.tabs.table import Tab, tabs
from mmdemo.ui.widgets import widget

log = logging.getLogger(__name__)
SCRIPTS = (
    *(
        "words.js",
        "page.js",
        "waiting.js",
        "address.js",
        "icons.js",
        "sign_in.js",
        "people.js",
        "outbox.js",
        "reliability.js",
        "numbers.js",
    ),
    *("answers.js", "wave.js", "player.js", "brought.js", "menu.js", "model_menu.js", "segments.js"),
    "first_steps.js",
)
SESSIONS = 300  # kept by Gradio at most; what matters is in the workspace
# A thread that waits for Python's lock gets it after so long, in place of 5 ms. Whoever answers a request
# waits for it at each read and write, beside threads that compute.
SWITCHED_S = 0.0005
WAITED_S = 0.5  # between looks at whether the page is still served
UPLOADS_SWEPT_S = (3600, 86_400)  # Gradio's own cache: looked through every hour, a day is kept


def build_page(app: App) -> gr.Blocks:
    """The page over an open workspace."""
    with gr.Blocks(title="mmdemo", analytics_enabled=False, delete_cache=UPLOADS_SWEPT_S) as page:
        widget("header", "dock")
        with gr.Tabs(overflow_behavior="wrap") as row:
            names = [name for name, tab in tabs().items() if _lay_out(page, row, name, tab)]
        page.load(
            _tab_of_link(names, app),
            None,
            row,
            queue=False,
            show_progress="hidden",
            api_visibility="private",
        )
        add_endpoints(app)
    take_as_sent(page)
    return page


def _lay_out(page: gr.Blocks, row: gr.Tabs, name: str, known: Tab) -> bool:
    """Lay a tab out; one that fails leaves nothing on the page and is told in the log."""
    blocks, functions, children = set(page.blocks), set(page.fns), list(row.children)
    try:
        with gr.Tab(known.title, id=name) as tab:
            known.build()
    except (Exception, SystemExit) as e:  # what another package does in its tab is not the page's end
        for table, before in ((page.blocks, blocks), (page.fns, functions)):
            for new in set(table) - before:
                del table[new]
        row.children[:] = children
        why = str(e) if isinstance(e, MmdemoError) else f"{type(e).__name__}: {one_line(str(e))}"
        log.error("The tab %s was left out: %s", name, why.rstrip(": "))
        log.info("where it failed", exc_info=e)
        return False
    tab.select(None, js=f"() => mm.address.view('{name}')", api_visibility="private")
    return True


def _tables() -> str:
    """The tables of label kinds, modalities, tabs and roles for the page's scripts, which draw buttons, keys
    and filters from them.
    """
    tables: dict[str, Any] = {
        "mmKinds": [asdict(kind) for kind in LABEL_KINDS.values()],
        "mmModalities": modalities(),
        "mmTabs": {name: tab.title for name, tab in tabs().items()},
        "mmRoles": {role: asdict(words) for role, words in IN_WORDS.items()},
    }
    return "".join(f"window.{name} = {_as_script(table)};" for name, table in tables.items())


def _as_script(table: Any) -> str:
    return json.dumps(table).replace("<", chr(92) + "u003c")


def _tab_of_link(names: Collection[str], app: App) -> Callable[[gr.Request], Any]:
    """What opens the tab that the address names; the Image tab is open already, and whoever has clicked stays
    there.
    """

    def tab_of_link(request: gr.Request) -> Any:
        asked = dict(request.query_params)
        if "s" in asked:
            asked = dict(parse_qsl(app.ws.short_links.state(asked["s"]) or ""))
        view = asked.get("view", "")
        return gr.Tabs(selected=view) if view in names else gr.skip()

    return tab_of_link


def _launch(page: gr.Blocks, app: App) -> tuple[str, str]:
    """Serve the page; returns where it answers, and the address by which people reach it."""
    settings, hosts = app.settings, Hosts(app.settings)
    with believing_nobody(), counted():
        _, address, shared = page.launch(
            server_name=settings.server_name,
            server_port=settings.server_port or None,
            share=settings.share,
            prevent_thread_lock=True,
            theme=theme(),
            css=style_sheet(),
            head=f"{frame()}<script>{_tables()}{''.join(map(read_asset, SCRIPTS))}</script>",
            run_history=False,
            footer_links=["api"],
            max_file_size=settings.max_upload_mb * 1_000_000,
            state_session_capacity=SESSIONS,
            mcp_server=True,
            ssr_mode=False,
            num_workers=0,  # they would serve files and uploads beside the gate
            quiet=True,
            _app=GatedApp(
                partial(Gate, app=app, hosts=hosts),
                partial(LinkCards, app=app),
                routes=page_routes(app),
                middleware=[Middleware(PlainRefusals)],
                exception_handlers={RequestValidationError: unreadable, HTTPException: refused_by_gradio},
            ),
        )
    if shared:
        hosts.add(shared)
    if settings.space_host:
        shared = f"https://{settings.space_host}/"
    served = str(shared or address)
    answer_agents(page, app)
    require_known(page)
    QueuedAnswers(page)
    return served, served if shared else hosts.for_people(served, page.root_path)


def serve(settings: Settings, block: bool = True) -> tuple[App, str, gr.Blocks]:
    """Serve the page; models load once it answers. Returns the open workspace, the address and the page.

    Raises:
        UserError: the port is taken; where that can be said beforehand, `require_address` has.
        UserError: Gradio is one that this page does not know.
        KeyboardInterrupt: Ctrl-C, once everything is closed.
    """
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    sys.setswitchinterval(SWITCHED_S)
    logging.basicConfig(format="%(message)s")  # of whoever began the process, where it has said more
    logging.getLogger("mmdemo").setLevel(logging.INFO)
    app = App(settings, samples_later=True)
    page = build_page(app)
    page.queue(max_size=MOST, default_concurrency_limit=4)
    try:
        address, for_people = _launch(page, app)
    except OSError as e:  # of the sockets that are tried
        app.close()
        raise port_is_taken(settings) from e
    except UserError:
        page.close(verbose=False)
        app.close()
        raise
    app.context.start_behind_the_page()  # Python runs one thread at a time: before, the page would wait
    note_address(app.ws.folder, for_people)
    tell(app, address, for_people)
    if block:
        try:
            while page.is_running:
                time.sleep(WAITED_S)
        finally:
            until_s = closing_ends_s()
            page.close(verbose=False)  # waits for connections, and what is left of the time is for the rest
            app.close(until_s)
    else:
        app.context.wait_for_samples()  # who goes on in this process finds them in the workspace
    return app, address, page
