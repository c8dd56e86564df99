"""The server is killed (SIGKILL) at random moments while twenty people label: what is stored afterwards?

    python benchmarks/kills.py [--kills 100] [--people 20]

Everybody sends a label, or takes one back, until it is answered with its number, as the page does. In the
end the store must hold just what was acknowledged, over SQLite and over PostgreSQL, and the database must
pass its own check. Every tenth time PostgreSQL's server is ended as roughly.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path

import common  # noqa: F401  puts the project on the path
from sqlalchemy import create_engine

from tests import crowd, postgresql


def measured(url: str, database: postgresql.Cluster | None, kills: int, people: int) -> str:
    """Kill the server so often; what came of it, as a line."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder) / "w"
        pairs = crowd.pairs_to_label(workspace, url)
        with crowd.serving(workspace, Path(folder) / "log", MMDEMO_DATABASE_URL=url) as server:
            everybody = crowd.Crowd(server.address, pairs, people)
            everybody.begin()
            begun = time.perf_counter()
            for n in range(kills):
                crowd.kill_again_and_again(server, everybody, 1)
                if database is not None and n % 10 == 9:
                    with database.away():
                        time.sleep(0.5)
            everybody.end()
            seconds = time.perf_counter() - begun
        engine = create_engine(url or f"sqlite:///{workspace / 'mmdemo.sqlite3'}")
        wrong = crowd.differences(engine, everybody.acknowledged)
        faults = crowd.faults(engine)
        engine.dispose()
    statuses = Counter[int]()
    for (status, _), count in everybody.answers.items():
        statuses[status] += count
    undone = sum(done.action == "undo" for done, _ in everybody.acknowledged.values())
    return (
        f"{kills} kills in {seconds:.0f} s under {people} people: {len(everybody.acknowledged)} acknowledged "
        f"({undone} of them undone labels), {len(wrong)} not stored as they were, {len(faults)} faults of "
        f"the database; not answered {statuses.pop(0, 0)} times, refused by status {dict(statuses)}"
        + "".join(f"\n  {one}" for one in [*wrong[:9], *faults[:9]])
    )


def main() -> None:
    """Print a line for each database."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    options = parser.parse_args()
    if options.only != "postgresql":
        print("SQLite:", measured("", None, options.kills, options.people), flush=True)
    if options.only != "sqlite":
        with postgresql.cluster(durable=True) as database:
            postgresql.execute(database.address, "CREATE DATABASE mmdemo")
            url = f"{database.address}/mmdemo"
            print("PostgreSQL:", measured(url, database, options.kills, options.people), flush=True)


if __name__ == "__main__":
    main()
