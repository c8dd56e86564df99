"""How long the owner waits for a search while forty visitors search all the time.

    python benchmarks/who_waits.py
    python benchmarks/who_waits.py --beside FOLDER

A page on the processor with the samples. The visitors come by a proxy, each with a session of their own,
search for words that nobody has asked for, one after the other, and come back after two seconds where the
page says that it is busy. The owner, at this machine, searches one after the other: first alone, then beside
them. All of them ask from this machine, the visitors from a process of their own. With a folder, a checkout
of another commit, its page is measured in the same way, in turns with this one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path

import httpx
from common import ROOT, running

VISITORS, TIMES = 40, 2
ALONE_S, BESIDE_S = 10.0, 30.0
BUSY, AGAIN_S = 503, 2.0  # as the answer says
TIMEOUT_S = 300
BY_A_PROXY = {"x-forwarded-for": "10.0.0.1"}  # so that who asks is not the owner
SERVE = (
    "import sys; sys.path.insert(0, {!r}); from mmdemo.command_line import main; sys.exit(main(['serve']))"
)


def search(http: httpx.Client, words: str) -> int:
    """Search for some words; the status."""
    return http.post("mmdemo/api/search", json={"query": words, "k": 10}).status_code


def keep_searching(address: str, begun: Event, over: Event) -> Counter[int]:
    """Be forty visitors until it is over: how often they had each status."""
    statuses, lock = Counter[int](), threading.Lock()

    def visitor(number: int) -> None:
        with httpx.Client(base_url=address, timeout=TIMEOUT_S, headers=BY_A_PROXY) as http:
            http.get("")  # whose session comes back
            asked = 0
            while not over.is_set():
                status = search(http, f"visitor {number} looks for {asked} cups of coffee")
                asked += 1
                with lock:
                    statuses[status] += 1
                begun.set()
                if status == BUSY:
                    time.sleep(AGAIN_S)

    with ThreadPoolExecutor(VISITORS) as pool:
        list(pool.map(visitor, range(VISITORS)))
    return statuses


def timed(http: httpx.Client, seconds: float, words: str) -> list[float]:
    """Search one after the other for so long: the seconds that each took, of those that were answered."""
    took, refused, until = list[float](), 0, time.perf_counter() + seconds
    while (begun := time.perf_counter()) < until:
        if search(http, f"{words} {len(took)} {refused}") == BUSY:
            refused += 1
        else:
            took.append(time.perf_counter() - begun)
    if refused:
        print(f"  the owner was refused {refused} times")
    return took


def tell(when: str, took: list[float]) -> None:
    """Print how long searches took."""
    took = sorted(took)
    median, late = took[len(took) // 2], took[int(0.95 * len(took))]
    figures = f"median {median:.2f} s, 95th percentile {late:.2f} s, slowest {took[-1]:.2f} s"
    print(f"  {when}: {len(took)} searches, {figures}", flush=True)


def measure(folder: Path) -> None:
    """Print both for the page of a checkout."""
    print(f"{folder}:", flush=True)
    with tempfile.TemporaryDirectory() as workspace:
        variables = {"MMDEMO_WORKSPACE": workspace, "MMDEMO_DEVICE": "cpu"}
        command = [sys.executable, "-c", SERVE.format(str(folder))]
        processes = get_context("spawn")
        with (
            running(command, variables) as (_, address, _),
            processes.Manager() as manager,
            ProcessPoolExecutor(1, processes) as apart,
            httpx.Client(base_url=address, timeout=TIMEOUT_S) as owner,
        ):
            timed(owner, ALONE_S, "before the model is warm")
            tell("alone", timed(owner, ALONE_S, "alone"))
            begun, over = manager.Event(), manager.Event()
            visitors = apart.submit(keep_searching, address, begun, over)
            begun.wait(TIMEOUT_S)
            try:
                tell(f"beside {VISITORS} visitors", timed(owner, BESIDE_S, "beside them"))
            finally:
                over.set()
            statuses = visitors.result(TIMEOUT_S)
            print(f"  the visitors had {statuses[200]} answers and were told {statuses[BUSY]} times to wait")


def main() -> None:
    """Measure this checkout, and perhaps another."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--beside", type=Path, help="a checkout of another commit")
    other = parser.parse_args().beside
    for _ in range(TIMES if other else 1):
        for folder in (other.resolve(), ROOT) if other else (ROOT,):
            measure(folder)


if __name__ == "__main__":
    main()
