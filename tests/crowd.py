"""People who label at once, at a server that may be killed or refuse at any moment: each sends a label again,
as the page does, until it is answered with its number. Afterwards the store is compared with what they heard.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import Engine, text

from mmdemo.settings import ASSETS, load_settings
from mmdemo.store.workspace import Workspace
from tests.conftest import png
from tests.waiting import free_port, wait_for, wait_for_page

VERDICTS = ("match", "mismatch", "unsure")
AGAIN_S = 0.05  # after which a label that was not answered is sent again
MOMENT_S = 0.1  # in which some labels are stored: a kill falls anywhere into it
Answer = tuple[int, dict[str, Any]]  # a status, 0 where nobody answered, and what was said
UNDONE = 0.15  # of what somebody does


@dataclass(frozen=True)
class Done:
    """Something that a person did, once, however often it was sent."""

    action: str  # label or undo
    body: dict[str, Any]  # with its key

    @property
    def key(self) -> str:
        """The sender's own."""
        return str(self.body["key"])


@dataclass
class Crowd:
    """People at one address.

    Args:
        address: of the server; it may go away and come back there.
        pairs: what they label.
        people: how many.
        seed: of what they do.
    """

    address: str
    pairs: list[int]
    people: int = 20
    seed: int = 0
    acknowledged: dict[str, tuple[Done, int]] = field(default_factory=dict)  # by key: what, and its number
    answers: Counter[tuple[int, str]] = field(default_factory=Counter)  # status and sentence; 0: no answer
    _over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def begin(self) -> None:
        """Everybody begins."""
        for person in range(self.people):
            thread = threading.Thread(target=self._work, args=(person,), daemon=True)
            thread.start()
            self._threads.append(thread)

    def end(self, seconds: float = 120.0) -> None:
        """Nobody begins anything new, and what was begun is sent until it is answered."""
        self._over.set()
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
            assert not thread.is_alive(), f"labels wait for an answer after {seconds:g} s: {self.answers}"

    def _work(self, person: int) -> None:
        chance = random.Random(f"{self.seed} {person}")
        mine: list[int] = []
        for n in range(10**9):
            if self._over.is_set():
                return
            key = f"{self.seed}-{person}-{n}"
            if mine and chance.random() < UNDONE:
                done = Done("undo", {"label": mine.pop(), "key": key})
            else:
                said = {"pair": chance.choice(self.pairs), "verdict": chance.choice(VERDICTS)}
                done = Done("label", said | {"key": key, "annotator": f"person {person}"})
            number = self._sent_until_answered(done)
            self.acknowledged[key] = (done, number)
            if done.action == "label":
                mine.append(number)

    def _sent_until_answered(self, done: Done) -> int:
        while True:
            status, answer = ask(self.address, done.action, done.body)
            if status == 200:
                return int(answer["label"])
            self.answers[status, str(answer.get("error", ""))] += 1
            if 400 <= status < 500:
                raise AssertionError(f"{done} was refused: {answer}")
            time.sleep(AGAIN_S)


def ask(address: str, operation: str, body: dict[str, Any], seconds: float = 60.0) -> Answer:
    """Ask the page's route once."""
    request = urllib.request.Request(
        f"{address}mmdemo/api/{operation}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=seconds) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as e:
        with e:
            try:
                return e.code, json.load(e)
            except ValueError:
                return e.code, {}
    except (OSError, ValueError, HTTPException):  # nobody is there, or was cut off in the middle of it
        return 0, {}


def differences(engine: Engine, acknowledged: dict[str, tuple[Done, int]]) -> list[str]:
    """What the store holds otherwise than people were told; empty: it holds just that."""
    found: list[str] = []
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT key, id, pair_id, verdict, undoes, annotator FROM labels "
                "WHERE key IS NOT NULL ORDER BY id"
            )
        )
        stored = {row.key: row for row in rows}
        in_force = {pair: label for pair, label in connection.execute(text("SELECT id, label_id FROM pairs"))}
    for key, (done, number) in acknowledged.items():
        row = stored.get(key)
        told = (number, done.body.get("pair"), done.body.get("verdict", "undo"), done.body.get("label"))
        kept = row and (row.id, row.pair_id if done.action == "label" else None, row.verdict, row.undoes)
        if kept != told:
            found.append(f"{key}: {told} was acknowledged, and {kept} is stored")
    found += [f"{key} is stored, and nobody was told" for key in stored.keys() - acknowledged.keys()]
    undone = {row.undoes for row in stored.values() if row.undoes}
    said: dict[int, dict[str, tuple[int, str]]] = {}  # of each pair: everybody's last word
    for row in stored.values():
        if row.undoes is None and row.id not in undone:
            said.setdefault(row.pair_id, {})[row.annotator] = row.id, row.verdict
    agreed = {pair: _agreed(list(words.values())) for pair, words in said.items()}
    for pair in {row.pair_id for row in stored.values()}:
        if in_force[pair] != agreed.get(pair):
            found.append(f"pair {pair}: {in_force[pair]} is in force, and the log says {agreed.get(pair)}")
    return found


def _agreed(words: list[tuple[int, str]]) -> int:
    """The newest label of the verdict that most people gave, of those who gave one."""
    words = [word for word in words if word[1] != "unsure"] or words
    return max((sum(said == verdict for _, said in words), label) for label, verdict in words)[1]


def faults(engine: Engine) -> list[str]:
    """What a database finds wrong with itself; empty: nothing."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            said = list(connection.execute(text("PRAGMA integrity_check")).scalars())
            said += [str(row) for row in connection.execute(text("PRAGMA foreign_key_check"))]
            return [one for one in said if one != "ok"]
        with connection.begin():
            connection.execute(text("CREATE EXTENSION IF NOT EXISTS amcheck"))
            every = "SELECT c.oid::regclass FROM pg_class c JOIN pg_am am ON am.oid = c.relam"
            for index in connection.execute(text(f"{every} WHERE am.amname = 'btree'")).scalars().all():
                connection.execute(text(f"SELECT bt_index_check('{index}', true)"))  # raises what it finds
        return []


def pairs_to_label(folder: Path, database_url: str = "", count: int = 100) -> list[int]:
    """A workspace with one picture and so many pairs, none of them labelled; their numbers."""
    ws = Workspace(load_settings({}, workspace=folder, samples=False, database_url=database_url))
    item = ws.add_media("image", png(), "square.png", source="crowd")
    with ws.database.write() as session:
        made = [
            ws.pairs.add(session, "image-text", item.id, f"text {i}", source="crowd")[0].id
            for i in range(count)
        ]
    ws.close()
    return made


@dataclass
class Server:
    """mmdemo at an address that it keeps when it is started again, in a process of its own each time."""

    folder: Path  # the workspace
    log: Path
    variables: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: int = 0  # which serves; 0: none
    _forks: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Of its page."""
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._forks = self._forks or self._begin()
        assert self._forks.stdin is not None and self._forks.stdout is not None
        self._forks.stdin.write(b"\n")
        self._forks.stdin.flush()
        self.process = int(self._forks.stdout.readline())
        wait_for_page(self.address, self._forks, self.log)

    def kill(self) -> None:
        """End it, with whatever it has started, by SIGKILL."""
        os.killpg(self.process, signal.SIGKILL)
        wait_for(lambda: not psutil.pid_exists(self.process))

    def close(self) -> None:
        """End it by SIGTERM, and what starts it."""
        if self._forks is not None:
            with suppress(ProcessLookupError):
                os.kill(self.process, signal.SIGTERM)
                wait_for(lambda: not psutil.pid_exists(self.process))
            self._forks.communicate()

    def _begin(self) -> subprocess.Popen[bytes]:
        variables = {
            "MMDEMO_WORKSPACE": str(self.folder),
            "MMDEMO_DEVICE": "cpu",
            "MMDEMO_SAMPLES": "false",
            "GRADIO_SERVER_PORT": str(self.port),
            "GRADIO_ANALYTICS_ENABLED": "False",
            "HF_HUB_OFFLINE": "1",
        }
        pipe = subprocess.PIPE
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.forked_pages"],
                cwd=ASSETS.parent,
                env=os.environ | variables | self.variables,
                stdin=pipe,
                stdout=pipe,
                stderr=log,
            )


@contextmanager
def serving(folder: Path, log: Path, **variables: str) -> Iterator[Server]:
    """A server that has started, and ends with the block."""
    server = Server(folder, log, variables)
    server.start()
    try:
        yield server
    finally:
        server.close()


def kill_again_and_again(server: Server, crowd: Crowd, kills: int, most: int = 60) -> None:
    """Kill a server that people label at, each time a random number of labels after its start, and start it
    again at once.
    """
    chance = random.Random(crowd.seed)
    for _ in range(kills):
        wanted = len(crowd.acknowledged) + chance.randint(1, most)
        wait_for(lambda wanted=wanted: len(crowd.acknowledged) >= wanted, told=lambda: str(crowd.answers))
        time.sleep(chance.uniform(0.0, MOMENT_S))
        server.kill()
        server.start()
