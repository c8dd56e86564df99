"""The first look at a file of somebody who is not trusted with this machine: in a process of its own.

Decoders are written for files of good will. One that takes minutes, gigabytes or its process down ends that
process, and is refused in a sentence; only what went well there is ever decoded here.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import traceback
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from mmdemo.asker import current
from mmdemo.bounds import TRUSTED_WITH_TIME
from mmdemo.errors import MediaError, MmdemoError
from mmdemo.media.decoding import decoding
from mmdemo.media.told_rarely import ToldRarely

CPU_S = 6  # of the processor, for one file
WALL_S = 120.0  # whatever else keeps the machine busy
MEMORY_MB = 1200  # above what the process has at its begin
AT_ONCE = 2  # processes

TOLD = ToldRarely(logging.getLogger(__name__))


def probed(kind: str, source: bytes | Path, most: float) -> Any:
    """The facts of a file: as its kind's `probe_...` tells them, in a process of its own where whoever asks
    is not trusted with the machine's time.

    Args:
        kind: image, audio or video.
        source: the file's bytes or its path.
        most: megapixels, or hours.

    Raises:
        MediaError: it cannot be read, or takes too long or too much memory.
    """
    if current().may(TRUSTED_WITH_TIME):
        return _of_kind(kind)[0](source, most)
    trial = _trials.get()
    try:
        return trial.look(kind, source, most)
    finally:
        _trials.put(trial)


class Trial:
    """A process that looks at files, one after the other; begun when there is one, and anew after one that
    it did not survive.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def look(self, kind: str, source: bytes | Path, most: float) -> Any:
        """The facts of a file; see `probed`."""
        name = source.name if isinstance(source, Path) else "This file"
        asked: dict[str, Any] = {"kind": kind, "most": most, "name": name, "cpu_s": CPU_S}
        asked |= {"path": str(source)} if isinstance(source, Path) else {"bytes": len(source)}
        process = self._begun()
        assert process.stdin is not None and process.stdout is not None
        late = threading.Timer(WALL_S, process.kill)
        late.start()
        try:
            process.stdin.write(json.dumps(asked).encode() + b"\n")
            if isinstance(source, bytes):
                process.stdin.write(source)
            process.stdin.flush()
            told = process.stdout.readline()
        except BrokenPipeError:
            told = b""
        finally:
            late.cancel()
        if not told.endswith(b"\n"):
            raise self._ended(name)
        answer = json.loads(told)
        if "failed" in answer:
            TOLD.tell(logging.WARNING, f"The trial of a file failed: {answer['failed']}")
            raise MediaError(f"{name} cannot be read here.", "Save it again with another program.")
        if "refused" in answer:
            raise MediaError(*map(str, answer["refused"]))
        return _of_kind(kind)[1](**answer["facts"])

    def end(self, released: bool) -> None:
        """End the process. Where it looks at something, whoever waits for that releases it."""
        process = self._process
        if process is None:
            return
        process.kill()
        if released:
            _release(process)
            self._process = None

    def _begun(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is not None:
            _release(self._process)
            self._process = None
        if self._process is None:
            own = {"MALLOC_ARENA_MAX": "2", "OMP_NUM_THREADS": "1"}
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=os.environ | own | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        return self._process

    def _ended(self, name: str) -> MediaError:
        """Why the process did not survive a file."""
        process, self._process = self._process, None
        assert process is not None
        process.kill()
        code = _release(process)
        if code in (-getattr(signal, "SIGXCPU", 0), -signal.SIGTERM, -getattr(signal, "SIGKILL", 9)):
            return MediaError(f"{name} takes too long to read.", "Save it again with another program.")
        return MediaError(
            f"{name} cannot be read: its decoder failed.", "Save it again with another program."
        )


def _of_kind(kind: str) -> tuple[Any, Any]:
    """What looks at such a file, and what it tells; imported when it is asked for."""
    if kind == "image":
        from mmdemo.media.image import PictureFacts, probe_image

        return probe_image, PictureFacts
    if kind == "audio":
        from mmdemo.media.audio import AudioFacts, probe_audio

        return probe_audio, AudioFacts
    from mmdemo.media.video import VideoFacts, probe_video

    return probe_video, VideoFacts


def _release(process: subprocess.Popen[bytes]) -> int:
    code = process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(BrokenPipeError):  # by what was written to it and never read
                pipe.close()
    return code


_every = tuple(Trial() for _ in range(AT_ONCE))
_trials: queue.LifoQueue[Trial] = queue.LifoQueue()  # those that look at nothing
for _one in _every:
    _trials.put(_one)


def close_trials() -> None:
    """End the processes; a file that one looks at is refused by that."""
    idle = []
    with suppress(queue.Empty):
        while True:
            idle.append(_trials.get_nowait())
    for trial in _every:
        trial.end(released=trial in idle)
    for trial in idle:
        _trials.put(trial)


def _bound_memory() -> None:
    """Have what is asked for beyond so much fail."""
    if sys.platform == "linux":
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + MEMORY_MB * 1_000_000
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _bound_time(cpu_s: int) -> None:
    """Have this process end after so many seconds of the processor from now."""
    if sys.platform != "win32":
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        most = int(used.ru_utime + used.ru_stime) + 1 + cpu_s
        resource.setrlimit(resource.RLIMIT_CPU, (most, resource.RLIM_INFINITY))


def _answer(asked: dict[str, Any], data: bytes | None) -> dict[str, Any]:
    """What is told of one file."""
    probe, _ = _of_kind(asked["kind"])
    if asked["kind"] == "video":  # `probe_audio` counts by itself
        probe = partial(probe, counted=True)
    try:
        with decoding(asked["name"]):
            return {"facts": asdict(probe(Path(asked["path"]) if data is None else data, asked["most"]))}
    except MmdemoError as e:
        return {"refused": [e.what, e.cure]}
    except Exception:  # a mistake of mmdemo's own, which is logged where somebody reads it
        return {"failed": traceback.format_exc()}


def main() -> None:
    """Look at the files that are named on standard input, one a line, until it ends."""
    for kind in ("image", "audio", "video"):
        _of_kind(kind)
    _bound_memory()
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    while line := sys.stdin.buffer.readline():
        asked = json.loads(line)
        data = sys.stdin.buffer.read(asked["bytes"]) if "bytes" in asked else None
        _bound_time(asked["cpu_s"])
        out.write(json.dumps(_answer(asked, data)).encode() + b"\n")
        out.flush()


if __name__ == "__main__":
    main()
