"""What strangers may make a page spend, and what is left of it.

    python benchmarks/in_bounds.py pictures
    python benchmarks/in_bounds.py labels
    python benchmarks/in_bounds.py agents
    python benchmarks/in_bounds.py requests
    python benchmarks/in_bounds.py calls

pictures: three PNGs of 10,000 x 10,000 pixels with transparency, of 400 kB each, are uploaded at once, looked
at and aligned with a text; by how much the largest memory of the page's process grows.

labels: 200 clients open the page at once, upload a picture and align it as fast as they are answered, while
somebody labels ten times a second from a process of their own; how long the slowest label took while they
arrived, and afterwards.

agents: 80 agents ask which tools there are as fast as they are answered, while somebody labels as above.

requests: a visitor uploads 5,000 pictures, looks at each and aligns every tenth; what the page's process and
its workspace hold before, after a tenth of them, and when the time of the files is over (a minute here, else
an hour).

calls: somebody posts 5,000 calls to Gradio's queue, in as many sessions, and fetches no answer; what the
page's process holds before, after them, and when the time of the answers is over (a minute here, else five).
"""

from __future__ import annotations

import argparse
import io
import struct
import sys
import tempfile
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import httpx
from common import running
from PIL import Image

PHOTO = Path(__file__).resolve().parent.parent / "assets" / "photos" / "coffee.jpg"
SERVE = [sys.executable, "-m", "mmdemo", "serve"]
MINUTE = [
    sys.executable,
    "-c",
    "from mmdemo.store import scratch; scratch.VISITORS_S = scratch.OTHERS_S = 60; "
    "from mmdemo.service import context; context.SWEPT_EVERY_S = 5; "
    "from mmdemo.ui import queued_answers; queued_answers.UNFETCHED_S = 60; "
    "import sys; from mmdemo.command_line import main; sys.exit(main(['serve']))",
]
SIDE_PX, WORST = 10_000, 3
CLIENTS, ALONE_S, LABELLED_S, EVERY_S = 200, 5.0, 30.0, 0.1
AGENTS, TOOLS = 80, {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
OF_AGENTS = {"accept": "application/json, text/event-stream"}
REQUESTS, ALIGNED_EVERY = 5000, 10
TIMEOUT_S = 300
BUSY, AGAIN_S = 503, 2.0  # as the answer says
CUT_OFF = 0


def huge_png(number: int) -> bytes:
    """A large picture of one colour, of its own by its number."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    row = b"\0" + bytes([number, 90, 160, 200]) * SIDE_PX
    packed = b"".join(packer.compress(row) for _ in range(SIDE_PX)) + packer.flush()
    header = struct.pack(">IIBBBBB", SIDE_PX, SIDE_PX, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def small_png(number: int) -> bytes:
    """A small picture of its own by its number."""
    out = io.BytesIO()
    Image.new("RGB", (64, 64), (number % 256, number // 256, 7)).save(out, "PNG")
    return out.getvalue()


class Visitor:
    """Somebody with a browser, whose cookies come back."""

    def __init__(self, address: str) -> None:
        self.http = httpx.Client(base_url=address, timeout=TIMEOUT_S)
        self.http.get("")

    def upload(self, picture: bytes) -> str:
        """The id of a picture that is uploaded."""
        way = "mmdemo/upload?name=p.png&task=image-text"
        while (answer := self.http.post(way, content=picture)).status_code == BUSY:
            time.sleep(AGAIN_S)
        return str(answer.raise_for_status().json()["item"])

    def look(self, item: str) -> None:
        """See a picture small."""
        self.http.get(f"mmdemo/thumb/{item}").raise_for_status()

    def ask(self, name: str, **values: Any) -> httpx.Response:
        """Ask an operation."""
        return self.http.post(f"mmdemo/api/{name}", json=values)

    def align(self, item: str) -> int:
        """Align a picture with a text; the status."""
        return self.ask("align", item=item, texts=["a cup of coffee"]).status_code


def memory_mb(pid: int, which: str) -> float:
    """VmRSS or VmHWM, the memory of a process now and at its most."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(which)) / 1000


def pictures(address: str, pid: int, workspace: Path) -> None:
    """The worst pictures at once."""

    def look(picture: bytes) -> None:
        visitor = Visitor(address)
        item = visitor.upload(picture)
        visitor.look(item)
        assert visitor.align(item) == 200

    look(PHOTO.read_bytes())  # the model is loaded
    before = memory_mb(pid, "VmHWM")
    worst = [huge_png(i) for i in range(WORST)]
    begun = time.perf_counter()
    with ThreadPoolExecutor(WORST) as pool:
        list(pool.map(look, worst))
    print(f"{WORST} pictures of {len(worst[0]) / 1000:.0f} kB in {time.perf_counter() - begun:.1f} s:")
    print(f"  {memory_mb(pid, 'VmHWM') - before:.0f} MB more than the {before:.0f} MB before")


def keep_labelling(address: str, pair: int, begun: Event, over: Event) -> list[tuple[float, float]]:
    """Label until it is over: when each label was sent, and the seconds that its answer took.

    It has a process of its own: the clients' work would count as waiting.
    """
    labeller = Visitor(address)
    waits = []
    while not over.is_set():
        sent = time.perf_counter()
        labeller.ask("label", pair=pair, verdict="match").raise_for_status()
        waits.append((sent, time.perf_counter() - sent))
        begun.set()
        time.sleep(EVERY_S)
    return waits


@contextmanager
def labelling(address: str, pair: int) -> Iterator[Callable[[], list[tuple[float, float]]]]:
    """Somebody labels by a process of their own; yields what ends that and returns how long each took."""
    processes = get_context("spawn")
    with processes.Manager() as manager, ProcessPoolExecutor(1, processes) as apart:
        begun, over = manager.Event(), manager.Event()
        waits = apart.submit(keep_labelling, address, pair, begun, over)

        def ended() -> list[tuple[float, float]]:
            over.set()
            return waits.result(TIMEOUT_S)

        assert begun.wait(TIMEOUT_S)
        time.sleep(ALONE_S)
        try:
            yield ended
        finally:
            over.set()


def tell(waits: list[tuple[float, float]], *times: tuple[str, float, float]) -> None:
    """Print how long labels took in each of some stretches of time."""
    for when, start, end in times:
        of_then = sorted(wait for sent, wait in waits if start <= sent < end)
        slowest, median = of_then[-1] * 1000, of_then[len(of_then) // 2] * 1000
        print(f"  {when}: {len(of_then)} labels, the slowest {slowest:.0f} ms, median {median:.0f} ms")


def agents(address: str, pid: int, workspace: Path) -> None:
    """Labels while many agents ask for the list of tools."""
    pair = Visitor(address).ask("next_pair").json()["pair"]
    done, lock, answers = threading.Event(), threading.Lock(), Counter[int]()

    def agent() -> None:
        with httpx.Client(base_url=address, timeout=TIMEOUT_S, headers=OF_AGENTS) as http:
            while not done.is_set():
                status = http.post("gradio_api/mcp/", json=TOOLS).status_code
                with lock:
                    answers[status] += 1

    with labelling(address, pair) as ended, ThreadPoolExecutor(AGENTS) as pool:
        came = time.perf_counter()
        asking = [pool.submit(agent) for _ in range(AGENTS)]
        time.sleep(LABELLED_S)
        waits, over = ended(), time.perf_counter()
        done.set()
        for one in asking:
            one.result(TIMEOUT_S)
    print(
        f"{AGENTS} agents ask for the tools: {answers[200]} lists, {answers.total() - answers[200]} refused"
    )
    tell(waits, ("before", 0.0, came), ("meanwhile", came, over))


def labels(address: str, pid: int, workspace: Path) -> None:
    """Labels while many arrive, and while they align."""
    first = Visitor(address)
    pair = first.ask("next_pair").json()["pair"]
    assert first.align(first.upload(PHOTO.read_bytes())) == 200
    answers: Counter[int] = Counter()
    lock, go, there = threading.Lock(), threading.Barrier(CLIENTS + 1), threading.Barrier(CLIENTS + 1)
    done = threading.Event()

    def client(number: int) -> None:
        picture = small_png(number)
        go.wait(TIMEOUT_S)
        visitor = Visitor(address)
        item = visitor.upload(picture)
        there.wait(TIMEOUT_S)
        while not done.is_set():
            try:
                status = visitor.align(item)
            except httpx.TransportError:  # the server had closed what was idle for five seconds
                status = CUT_OFF
            with lock:
                answers[status] += 1
            if status == BUSY:
                done.wait(AGAIN_S)

    with labelling(address, pair) as over, ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(client, number) for number in range(CLIENTS)]
        go.wait(TIMEOUT_S)
        came = time.perf_counter()
        there.wait(TIMEOUT_S)  # all have opened the page and uploaded
        connected = time.perf_counter()
        time.sleep(LABELLED_S)
        done.set()
        ended = time.perf_counter()
        waits = over()
        for one in clients:
            one.result(TIMEOUT_S)
    print(f"{CLIENTS} clients came within {connected - came:.1f} s")
    print(
        f"{CLIENTS} clients align: {answers[200]} answers, {answers[BUSY]} times busy, "
        f"{answers[CUT_OFF]} cut off"
    )
    tell(
        waits,
        ("before", 0.0, came),
        ("while they came", came, connected),
        ("while they aligned", connected, ended),
    )


def requests(address: str, pid: int, workspace: Path) -> None:
    """What many requests leave behind."""

    def told(when: str) -> None:
        files = [f for f in workspace.rglob("*") if f.is_file() and not f.name.endswith(("-wal", "-shm"))]
        size = sum(f.stat().st_size for f in files) / 1e6
        opened = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        memory = memory_mb(pid, "VmRSS")
        print(f"{when}: {memory:.0f} MB of memory, {len(files)} files of {size:.1f} MB, {opened} open")

    visitor = Visitor(address)

    def one(number: int) -> None:
        item = visitor.upload(small_png(number))
        visitor.look(item)
        if number % ALIGNED_EVERY == 0:
            assert visitor.align(item) == 200

    for number in range(20):
        one(60_000 + number)
    time.sleep(80)
    told("before")
    for number in range(REQUESTS):
        one(number)
        if number == REQUESTS // 10:
            told(f"after {number}")
    told(f"after {REQUESTS}")
    visitor.http.close()
    time.sleep(80)
    told("a minute later")


def calls(address: str, pid: int, workspace: Path) -> None:
    """What calls leave behind whose answers nobody fetches."""

    def told(when: str) -> None:
        print(f"{when}: {memory_mb(pid, 'VmRSS'):.0f} MB of memory")

    with httpx.Client(base_url=address, timeout=TIMEOUT_S) as http:

        def post(number: int) -> int:
            body = {"data": ["image-text"], "session_hash": f"session {number}"}
            return http.post("gradio_api/call/label_counts", json=body).status_code

        for number in range(20):
            post(number)
        time.sleep(80)
        told("before")
        answers = Counter(post(number) for number in range(REQUESTS))
        told(f"after {REQUESTS} ({answers[200]} taken)")
        time.sleep(80)
        told("a minute later")


MEASURED = {
    "pictures": (pictures, SERVE),
    "labels": (labels, SERVE),
    "agents": (agents, SERVE),
    "requests": (requests, MINUTE),
    "calls": (calls, MINUTE),
}


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=list(MEASURED))
    measure, command = MEASURED[parser.parse_args().what]
    with tempfile.TemporaryDirectory() as folder:
        variables = {"MMDEMO_WORKSPACE": folder, "MMDEMO_DEVICE": "cpu"}
        with running(command, variables) as (process, address, _):
            measure(address, process.pid, Path(folder))


if __name__ == "__main__":
    main()
