"""Ten minutes of 1080p, and search among 1,000 videos.

    python benchmarks/video_scale.py

A 20 s clip of drawings at 1920 x 1080 is written and joined to itself 30 times, not encoded again. Measured
are the time from asking to the first answer (from key frames), the time until the whole is looked through,
and the memory above that of the loaded model. For the search, 1,000 videos of 20 s with random features stand
in a workspace; a query is answered with the moment of each of its ten results.
"""

from __future__ import annotations

import io
import statistics
import sys
import tempfile
import time
from pathlib import Path

import av
import numpy as np
from common import ROOT

sys.path.insert(0, str(ROOT / "assets"))

from build_video import choose_shots, write_stills

from mmdemo.retrieval.query import Query
from mmdemo.service.app import App
from mmdemo.service.video import VIDEO
from mmdemo.settings import load_settings
from mmdemo.store.durable import write_durably
from mmdemo.store.tables import Item

MINUTES, VIDEOS, QUERIES = 10, 1000, 30


def memory_mb(field: str) -> float:
    """This process's memory as the kernel counts it: VmRSS now, VmHWM at its most."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith(field))


def joined(clip: Path, times: int, target: Path) -> None:
    """The packets of a clip, one copy after another."""
    with av.open(str(target), "w") as out:
        stream, offset = None, 0
        for _ in range(times):
            with av.open(str(clip)) as source:
                own = source.streams.video[0]
                stream = stream or out.add_stream_from_template(own)
                for packet in source.demux(own):
                    if packet.dts is None:
                        continue
                    packet.pts, packet.dts, packet.stream = packet.pts + offset, packet.dts + offset, stream
                    out.mux(packet)
                offset += own.duration


def long_video(app: App, folder: Path) -> None:
    """Print the times and the memory of ten minutes of 1080p."""
    shots = next(choose_shots("train", 1, 5))
    write_stills(folder / "clip.mp4", [(file, 2.5) for file, _, _ in shots], (1920, 1080))
    joined(folder / "clip.mp4", MINUTES * 3, folder / "long.mp4")
    item = app.media.keep(folder / "long.mp4", "benchmark", VIDEO)
    app.models.aligner(VIDEO)
    idle = memory_mb("VmRSS")
    begun = time.perf_counter()
    first = app.video.moments(item, shots[3][1], wait=False)
    looked = time.perf_counter() - begun
    while not app.video.watching(item)["complete"]:
        time.sleep(0.5)
    whole = time.perf_counter() - begun
    peak = memory_mb("VmHWM")
    seconds = item.duration_s or 0.0
    print(
        f"{seconds:.0f} s of 1080p: first answer after {looked:.2f} s from {len(first['curve'])} key frames, "
        f"whole after {whole:.0f} s ({seconds / whole:.1f} times real time); "
        f"{peak - idle:.0f} MB above the {idle:.0f} MB of the loaded model"
    )


def many_videos(app: App) -> None:
    """Print the median time of a query among 1,000 videos."""
    rng = np.random.default_rng(0)
    tower = app.models.aligner(VIDEO).towers.media
    times = np.arange(0, 20, 0.5, dtype=np.float32)
    shots = np.column_stack([np.arange(0, 20, 2.5), np.arange(2.5, 22.5, 2.5)]).astype(np.float32)
    with app.ws.database.write() as session:
        for i in range(VIDEOS):
            key = f"{i:064x}"
            session.add(
                Item(
                    id=key,
                    modality="video",
                    name=f"{i}.mp4",
                    suffix=".mp4",
                    source="b",
                    bytes=1,
                    duration_s=20.0,
                )
            )
            features = rng.normal(size=(len(times), tower.feature_dim)).astype(np.float16)
            out = io.BytesIO()
            np.savez(out, times=times, features=features, shots=shots)
            write_durably(
                app.ws.folder / "cache" / "frames" / tower.id / key[:2] / f"{key[2:]}.npz", out.getvalue()
            )
    begun = time.perf_counter()
    app.media.search(Query(text="warm up"), VIDEO)
    print(f"index of {VIDEOS} videos built in {time.perf_counter() - begun:.1f} s")
    spent = []
    for i in range(QUERIES):
        begun = time.perf_counter()
        found = app.media.search(Query(text=f"a drawing of number {i}"), VIDEO)
        spent.append(time.perf_counter() - begun)
        assert len(found.results) == 10 and found.results[0].start is not None
    print(f"a query with the moments of its ten results: median {1000 * statistics.median(spent):.0f} ms")


def main() -> None:
    """Both."""
    with tempfile.TemporaryDirectory() as name:
        app = App(load_settings({}, workspace=Path(name) / "w", samples=False, device="cpu"))
        long_video(app, Path(name))
        many_videos(app)
        app.close()


if __name__ == "__main__":
    main()
