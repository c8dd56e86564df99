"""Three tabs, a server that comes and goes, labels and undos at random: the store holds what was done."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from playwright.sync_api import Browser, BrowserContext, Page
from sqlalchemy import select

from mmdemo.service.app import App
from mmdemo.settings import ASSETS, load_settings
from mmdemo.store.database import Database
from mmdemo.store.labels import label_in_force
from mmdemo.store.tables import Label, Pair
from tests.browser.conftest import serving
from tests.browser.labelling import press, shows_a_pair, wait_for_pair, wait_sent
from tests.doorway import Doorway
from tests.waiting import free_port, wait_for_page

TABS = 3
WORDS = {"m": "match", "x": "mismatch"}


class Server(Protocol):
    """A page over a workspace that can go away."""

    address: str
    database: Database

    def go(self) -> None: ...

    def come(self) -> None: ...

    def lose_answers(self, loses: bool) -> None: ...


class BehindADoor:
    """The page of the session; to the browser it is away while the door before it is closed."""

    def __init__(self, app: App, address: str) -> None:
        self._door = Doorway(int(address.rstrip("/").rsplit(":", 1)[1]))
        self.address = self._door.address
        self.database = app.ws.database
        self.go, self.come = self._door.close, self._door.open

    def lose_answers(self, loses: bool) -> None:
        self._door.loses_answers = loses


class Killed:
    """A process of its own, which is killed and started again on the same port."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._door: Doorway | None = None
        self.come()
        self._door = Doorway(self._port)
        self.address = self._door.address
        self.database = Database(load_settings({}, workspace=folder / "w").url)

    def come(self) -> None:
        if self._process is not None:
            return
        command = [sys.executable, "-m", "mmdemo", "serve", "--workspace", str(self._folder / "w")]
        environment = {"MMDEMO_SERVER_PORT": str(self._port), "MMDEMO_DEVICE": "cpu"}
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=ASSETS.parent, env=os.environ | environment, stdout=log, stderr=log
            )
        wait_for_page(f"http://127.0.0.1:{self._port}/", self._process, self._folder / "log")

    def go(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = None

    def lose_answers(self, loses: bool) -> None:
        if self._door is not None:
            self._door.loses_answers = loses

    def close(self) -> None:
        self.go()
        self.database.close()
        if self._door is not None:
            self._door.close()


@dataclass
class Said:
    """A label that somebody has made."""

    pair: int
    verdict: str
    undone: bool = False


@dataclass
class Tab:
    """A tab and the labels that were made in it since it was loaded."""

    page: Page | None = None
    said: list[Said] = field(default_factory=list)


class Labelling(RuleBasedStateMachine):
    """What three tabs of one browser do, beside what the log should have of it."""

    server: Server
    context: BrowserContext
    tabs: tuple[Tab, ...]  # they stay open from one example to the next: loading is what takes long

    def __init__(self) -> None:
        super().__init__()
        self.all: list[Said] = []
        self.away = False
        self.name = secrets.token_hex(8)
        self.server.come()
        for tab in self.tabs:
            self._load(tab)
        page = self.tabs[0].page
        assert page is not None
        page.evaluate("(name) => { mm.annotator(name); }", self.name)

    def _load(self, tab: Tab) -> Page:
        if tab.page is None:
            tab.page = self.context.new_page()
            tab.page.on("dialog", lambda dialog: dialog.accept())
        tab.page.goto(f"{self.server.address}?view=label")
        tab.said = []
        return shows_a_pair(tab.page)

    @rule(which=st.integers(0, TABS - 1), keys=st.lists(st.sampled_from(list(WORDS)), min_size=1, max_size=3))
    def label(self, which: int, keys: list[str]) -> None:
        tab = self.tabs[which]
        for key in keys if tab.page else ():
            if tab.page.evaluate("document.querySelector('[data-pair]').dataset.pair"):
                said = Said(press(tab.page, key), WORDS[key])
                tab.said.append(said)
                self.all.append(said)

    @rule(which=st.integers(0, TABS - 1))
    def undo(self, which: int) -> None:
        tab = self.tabs[which]
        if tab.page is None or (not tab.said and self.away):
            return
        if tab.said:
            taken = tab.said.pop()
        else:  # what was said elsewhere: once all has arrived, the newest
            self.server.lose_answers(False)
            wait_sent(tab.page)
            alive = [said for said in self.all if not said.undone]
            if not alive:
                return
            taken = alive[-1]
        press(tab.page, "z")
        wait_for_pair(tab.page, taken.pair)
        taken.undone = True

    @precondition(lambda self: not self.away)
    @rule(which=st.integers(0, TABS - 1))
    def load_again(self, which: int) -> None:
        self.server.lose_answers(False)
        self._load(self.tabs[which])

    @rule(which=st.integers(0, TABS - 1))
    def close_tab(self, which: int) -> None:
        tab = self.tabs[which]
        if tab.page is not None:
            tab.page.close()
        tab.page, tab.said = None, []

    @rule()
    def go(self) -> None:
        self.server.go()
        self.away = True

    @precondition(lambda self: self.away)
    @rule()
    def come(self) -> None:
        self.server.come()
        self.away = False

    @rule(loses=st.booleans())
    def answers_are_lost(self, loses: bool) -> None:
        self.server.lose_answers(loses)

    def teardown(self) -> None:
        self.server.lose_answers(False)
        self.server.come()
        page = next((tab.page for tab in self.tabs if tab.page is not None), None)
        wait_sent(page or self._load(self.tabs[0]))
        wanted: dict[int, list[tuple[str, bool]]] = defaultdict(list)
        for said in self.all:
            wanted[said.pair].append((said.verdict, said.undone))
        found: dict[int, list[tuple[str, bool]]] = defaultdict(list)
        with self.server.database.read() as session:
            rows = list(session.scalars(select(Label).where(Label.annotator == self.name).order_by(Label.id)))
            taken_back = [row.undoes for row in rows if row.undoes is not None]
            for row in rows:
                if row.undoes is None:
                    found[row.pair_id].append((row.verdict, row.id in taken_back))
            for pair in wanted:
                assert session.get_one(Pair, pair).label_id == label_in_force(session, pair)
        assert found == wanted
        assert len(taken_back) == len(set(taken_back)) == sum(said.undone for said in self.all)


def do_at_random(server: Server, chromium: Browser, examples: int, steps: int) -> None:
    context = chromium.new_context()
    context.set_default_timeout(60_000)
    tabs = tuple(Tab() for _ in range(TABS))
    machine = type("Labelling", (Labelling,), {"server": server, "context": context, "tabs": tabs})
    how = settings(
        max_examples=examples,
        stateful_step_count=steps,
        phases=(Phase.generate,),  # an example takes seconds; it tells its steps as it is
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    try:
        run_state_machine_as_test(machine, settings=how)
    finally:
        context.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[App, str]]:
    """A page of this test's own: what it labels is in nobody else's way."""
    with serving(tmp_path_factory.mktemp("at_random")) as own:
        yield own


def test_whatever_comes_and_goes_the_store_holds_exactly_what_was_done(
    served: tuple[App, str], chromium: Browser
) -> None:
    server = BehindADoor(*served)
    try:
        do_at_random(server, chromium, examples=2, steps=25)
    finally:
        server.come()


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[Killed]:
    server = Killed(tmp_path)
    yield server
    server.close()


@pytest.mark.slow
def test_when_the_server_is_killed_again_and_again_the_store_holds_exactly_what_was_done(
    killed: Killed, chromium: Browser
) -> None:
    do_at_random(killed, chromium, examples=10, steps=40)
