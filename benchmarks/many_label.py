"""Fifty people who ask for pairs and label them at once, over SQLite and over PostgreSQL.

    python benchmarks/many_label.py [--seconds 20] [--beside CHECKOUT]

Each of them asks `next_pair` and sends `label` over HTTP, as a script does, again and again, under a name of
their own. Printed are pairs asked and labelled a second, the 95th percentile of both requests together, how
many pairs were labelled more than once, and whether every label that was acknowledged is stored. With
another checkout of this repository the same is asked of its server too, in turn, and the ratio printed.
"""

from __future__ import annotations

import argparse
import http.client
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import common
from sqlalchemy import create_engine, text

from tests import postgresql

PEOPLE, PAIRS = 50, 20_000
TASK = "image-text"


@dataclass
class Person:
    """Somebody who labels, on a connection of their own."""

    address: str
    name: str
    took_s: list[float] = field(default_factory=list)
    said: list[tuple[int, int]] = field(default_factory=list)  # pair and label
    refused: int = 0

    def work(self, until: float) -> None:
        """Ask and label until that time."""
        where = urlsplit(self.address)
        line = http.client.HTTPConnection(str(where.hostname), where.port, timeout=60)
        while time.perf_counter() < until:
            begun = time.perf_counter()
            pair = self._ask(line, "next_pair", {"task": TASK, "annotator": self.name}).get("pair")
            if pair is None:
                self.refused += 1
                continue
            body = {"pair": pair, "verdict": "match", "annotator": self.name}
            label = self._ask(line, "label", body).get("label")
            if label is None:
                self.refused += 1
                continue
            self.took_s.append(time.perf_counter() - begun)
            self.said.append((pair, label))

    def _ask(self, line: http.client.HTTPConnection, name: str, body: dict) -> dict:
        line.request("POST", f"/mmdemo/api/{name}", json.dumps(body), {"Content-Type": "application/json"})
        return dict(json.loads(line.getresponse().read()))


MAKE = f"""
import sys
from pathlib import Path
from mmdemo.settings import load_settings
from mmdemo.store.pairs import NewPair
from mmdemo.store.workspace import Workspace
from tests.conftest import png
folder, url = sys.argv[1:]
ws = Workspace(load_settings({{}}, workspace=Path(folder), samples=False, database_url=url))
item = ws.add_media("image", png(), "square.png", source="bench")
with ws.database.write() as session:
    ws.pairs.add_all(session, "{TASK}", [NewPair(item.id, f"text {{i}}", "bench") for i in range({PAIRS})])
ws.close()
"""  # a workspace whose pairs all wait, made by the code that serves it


def measure(root: Path, folder: Path, url: str, seconds: float) -> float:
    """Label at a checkout's server; returns the labels a second."""
    subprocess.run([sys.executable, "-c", MAKE, str(folder), url], cwd=root, check=True)
    variables = {
        "MMDEMO_WORKSPACE": str(folder),
        "MMDEMO_SAMPLES": "false",
        "MMDEMO_DEVICE": "cpu",
        "MMDEMO_DATABASE_URL": url,
    }
    with common.started([sys.executable, str(root / "app.py")], variables) as (address, _):
        people = [Person(address, f"person {i}") for i in range(PEOPLE)]
        people[0].work(time.perf_counter() + 1.0)  # the queue is made
        until = time.perf_counter() + seconds
        threads = [threading.Thread(target=one.work, args=(until,)) for one in people]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    took = sorted(s for one in people for s in one.took_s)
    said = [pair for one in people for pair in one.said]
    often = sum(n > 1 for n in Counter(pair for pair, _ in said).values())
    engine = create_engine(url or f"sqlite:///{folder / 'mmdemo.sqlite3'}")
    with engine.connect() as connection:
        stored = {tuple(row) for row in connection.execute(text("SELECT pair_id, id FROM labels"))}
    engine.dispose()
    lost = len(set(said) - stored)
    print(
        f"  {len(took) / seconds:.0f} a second, 95th percentile {1000 * took[int(0.95 * len(took))]:.0f} ms; "
        f"{often} pairs more than once, {lost} labels lost, {sum(one.refused for one in people)} refused"
    )
    return len(took) / seconds


def main() -> None:
    """Print the figures of both databases."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--beside", type=Path, help="another checkout, as of the version before")
    asked = parser.parse_args()
    roots = [common.ROOT, *([asked.beside] if asked.beside else [])]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(postgresql.cluster(durable=True)).address
        for kind in ("sqlite", "postgresql"):
            found = []
            for i, root in enumerate(roots):
                url = ""
                if kind == "postgresql":
                    postgresql.execute(server, f"CREATE DATABASE bench_{i}")
                    url = f"{server}/bench_{i}"
                print(f"{PEOPLE} people, {kind}, {'this' if root == common.ROOT else root}:")
                found.append(measure(root, folder / f"{kind}-{i}", url, asked.seconds))
            if len(found) > 1:
                print(f"  {found[0] / found[1]:.2f} times the other checkout's")


if __name__ == "__main__":
    main()
