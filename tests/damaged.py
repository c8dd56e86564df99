"""Files of twenty formats, damaged in the ways of disks, networks and other people's programs, and how a
workspace and its page take them.
"""

from __future__ import annotations

import io
import json
import logging
import random
import re
import tarfile
import time
import wave
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from mmdemo.asker import Asker, asking
from mmdemo.data.importing import import_source
from mmdemo.errors import UserError
from mmdemo.service.app import App
from mmdemo.ui.routes import page_routes

SIDE_PX = 48
PICTURES = ("jpg", "png", "gif", "webp", "bmp", "tiff", "avif")
SOUNDS = {
    "flac": ("flac", "flac"),
    "mp3": ("libmp3lame", "mp3"),
    "ogg": ("libopus", "ogg"),
    "m4a": ("aac", "mp4"),
}
VIDEOS = {
    "mp4": ("libx264", "aac"),
    "webm": ("libvpx", "libopus"),
    "mkv": ("libx264", "flac"),
    "avi": ("mpeg4", "pcm_s16le"),
}
TABLES = ("csv", "jsonl", "json", "parquet", "srt", "zip", "tar")
LOOKS = {
    "image-text": ("media", "thumb"),
    "speech-text": ("media", "thumb", "peaks", "sound"),
    "video-text": ("media", "thumb", "frame", "peaks", "player"),
}
BUSY, LONGEST_COPY_S = 503, 5.0
SOME_BYTES = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\1", b"\x80\0\0\0")


def picture(number: int, name: str) -> bytes:
    """A small picture with noise in it, its orientation in its EXIF."""
    pixels = np.random.default_rng(number).integers(0, 255, (SIDE_PX, SIDE_PX + number % 5, 3), np.uint8)
    image, out = Image.fromarray(pixels), io.BytesIO()
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "made for a test"
    more: dict[str, Any] = {"exif": exif} if name in ("jpg", "png", "webp", "tiff", "avif") else {}
    if name == "gif":
        more = {"save_all": True, "append_images": [image.rotate(90)], "duration": 100}
    image.save(out, {"jpg": "JPEG", "tiff": "TIFF"}.get(name, name.upper()), **more)
    return out.getvalue()


def sound(name: str) -> bytes:
    """Half a second of a tone, with a title."""
    tone = (0.3 * np.sin(np.arange(8000) / 5)).astype(np.float32)
    out = io.BytesIO()
    if name == "wav":
        with wave.open(out, "wb") as f:
            f.setnchannels(1)
            f.setsampwidth(2)
            f.setframerate(16_000)
            f.writeframes((tone * 32767).astype("<i2").tobytes())
        return out.getvalue()
    codec, container = SOUNDS[name]
    with av.open(out, "w", format=container) as f:
        f.metadata["title"] = "made for a test"
        _write(f, f.add_stream(codec, rate=48_000, layout="mono"), np.repeat(tone, 3))
    return out.getvalue()


def video(name: str) -> bytes:
    """Half a second of noise with a tone."""
    seen, heard = VIDEOS[name]
    out, rng = io.BytesIO(), np.random.default_rng(3)
    with av.open(out, "w", format={"mkv": "matroska"}.get(name, name)) as f:
        stream = f.add_stream(seen, rate=10)
        audio = f.add_stream(heard, rate=48_000, layout="mono")
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for at in range(5):
            pixels = rng.integers(0, 255, (48, 64, 3), np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = at, Fraction(1, 10)
            f.mux(stream.encode(frame))
        f.mux(stream.encode(None))
        _write(f, audio, (0.3 * np.sin(np.arange(24_000) / 15)).astype(np.float32))
    return out.getvalue()


def _write(f: Any, stream: Any, samples: np.ndarray) -> None:
    frame = av.AudioFrame.from_ndarray(samples[None], "flt", "mono")
    frame.sample_rate, frame.pts, frame.time_base = 48_000, 0, Fraction(1, 48_000)
    resampler = av.AudioResampler(stream.format, "mono", 48_000, frame_size=stream.frame_size or 1024)
    for part in [*resampler.resample(frame), *resampler.resample(None)]:
        f.mux(stream.encode(part))
    f.mux(stream.encode(None))


def table(name: str) -> bytes:
    """A table, an archive or subtitles that go with three pictures or a video."""
    rows = [{"file_name": f"{i}.png", "text": f"words of the picture {i}, café"} for i in range(3)]
    out = io.BytesIO()
    if name == "csv":
        return "\n".join(["file_name,text", *(f'{r["file_name"]},"{r["text"]}"' for r in rows)]).encode()
    if name == "jsonl":
        return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode()
    if name == "json":
        images = [{"id": i, "file_name": row["file_name"]} for i, row in enumerate(rows)]
        said = [{"image_id": i, "caption": row["text"]} for i, row in enumerate(rows)]
        return json.dumps({"images": images, "annotations": said}).encode()
    if name == "srt":
        return b"".join(b"%d\n00:00:00,%d00 --> 00:00:00,%d50\nwords %d\n\n" % (i, i, i, i) for i in range(4))
    if name == "parquet":
        import pyarrow
        import pyarrow.parquet

        cells = [{"bytes": picture(i, "png"), "path": f"{i}.png"} for i in range(3)]
        made = pyarrow.Table.from_pylist(
            [{"image": c, "text": r["text"]} for c, r in zip(cells, rows, strict=True)]
        )
        pyarrow.parquet.write_table(made, out)
        return out.getvalue()
    inside = {f"set/{i}.png": picture(i, "png") for i in range(3)} | {
        "set/0.txt": b"a text",
        "set/1.txt": b"another",
    }
    if name == "zip":
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as zipped:
            for path, data in inside.items():
                zipped.writestr(path, data)
        return out.getvalue()
    with tarfile.open(fileobj=out, mode="w") as tape:
        for path, data in inside.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(data)
            tape.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def whole_files() -> dict[str, bytes]:
    """A file of each format, whole."""
    files = {name: picture(7, name) for name in PICTURES}
    files |= {name: sound(name) for name in ("wav", *SOUNDS)}
    files |= {name: video(name) for name in VIDEOS}
    return files | {name: table(name) for name in TABLES}


def task_of(name: str) -> str:
    """Whose items the files of a format become."""
    if name in SOUNDS or name == "wav":
        return "speech-text"
    return "video-text" if name in VIDEOS or name == "srt" else "image-text"


def damaged(data: bytes, chance: random.Random) -> bytes:
    """A file with bits flipped, cut, doubled, or with its tags and lengths changed."""
    out = bytearray(data)
    way = chance.choice(("bits", "head", "cut", "double", "tag", "length", "hole"))
    if way in ("bits", "head"):
        among = len(out) if way == "bits" else min(len(out), 256)
        for _ in range(chance.choice((1, 1, 4, 32))):
            out[chance.randrange(among)] ^= 1 << chance.randrange(8)
    elif way == "cut":
        del out[chance.randrange(len(out)) :]
    elif way == "double":
        at = chance.randrange(len(out))
        end = chance.randrange(at, len(out)) + 1
        out[at:at] = out[at:end] * chance.choice((1, 1, 3))
    elif way in ("tag", "length"):
        tags = [m.start() for m in re.finditer(rb"[A-Za-z]{4}", data)] or [0]
        at = chance.choice(tags)
        if way == "tag":
            other = chance.choice(tags)
            out[at : at + 4] = chance.choice((data[other : other + 4], b"XXXX", b"\xe9\xff\xfe\x80"))
        else:
            at = max(0, at + chance.choice((-4, 4)))
            out[at : at + 4] = chance.choice(SOME_BYTES)
    else:
        at = chance.randrange(len(out))
        size = min(chance.choice((16, 512)), len(out) - at)
        out[at : at + size] = chance.choice((b"\0", b"\xff")) * size
    return bytes(out)


@dataclass
class Told:
    """What became of the files."""

    files: int = 0
    imported: int = 0  # of which something was brought, or was here already
    uploaded: int = 0  # that the page took in
    slowest_s: float = 0.0
    faults: list[str] = field(default_factory=list)  # tracebacks, answers of a broken page, and hangs


class AsVisitor:
    """Says of every request that somebody asks who is not trusted with the machine."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.visit = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with asking(Asker("viewer", session=f"visit {self.visit}")):
            await self.app(scope, receive, send)


class Takes:
    """A workspace and its page, which take damaged files.

    Args:
        app: the workspace.
        folder: for the files.
        longest_s: what a file may take.
    """

    def __init__(self, app: App, folder: Path, longest_s: float) -> None:
        self.told = Told()
        self._app, self._folder, self._longest_s = app, folder, longest_s
        self._visitor = AsVisitor(Starlette(routes=page_routes(app)))
        self._page = TestClient(self._visitor, raise_server_exceptions=False)
        for number in range(3):
            (folder / f"{number}.png").write_bytes(picture(number, "png"))
        (folder / "talk.mp4").write_bytes(video("mp4"))

    def take(self, name: str, data: bytes) -> None:
        """Import a file, and look at it on the page if it is a medium.

        Args:
            name: its format.
            data: its bytes.
        """
        self.told.files += 1
        with self._watched(f"import of {name}"):
            self._import(name, data)
        if name not in TABLES:
            with self._watched(f"look at {name}"):
                self._look(name, data)

    @contextmanager
    def _watched(self, what: str) -> Iterator[None]:
        traces: list[logging.LogRecord] = []
        handler = logging.Handler(logging.WARNING)
        handler.emit = traces.append  # type: ignore[method-assign]
        logging.getLogger().addHandler(handler)
        begun = time.perf_counter()
        try:
            yield
        except Exception as e:
            self.told.faults.append(f"{what}, file {self.told.files}: {type(e).__name__}: {e}")
        finally:
            logging.getLogger().removeHandler(handler)
        spent = time.perf_counter() - begun
        self.told.slowest_s = max(self.told.slowest_s, spent)
        if spent > self._longest_s:
            self.told.faults.append(f"{what}, file {self.told.files}: {spent:.1f} s")
        for trace in traces:
            if trace.exc_info:
                said = f"{trace.getMessage()} {trace.exc_info[0]} {trace.exc_info[1]}"
                self.told.faults.append(f"{what}, file {self.told.files}: {said}")

    def _import(self, name: str, data: bytes) -> None:
        path = self._folder / ("talk.srt" if name == "srt" else f"f.{name}")
        path.write_bytes(data)
        source = self._folder / "talk.mp4" if name == "srt" else path
        try:
            report = import_source(self._app.ws, str(source), task_of(name))
            if report.rows != report.imported + report.known + len(report.skipped):
                self.told.faults.append(f"import of {name}, file {self.told.files}: rows are lost")
            self.told.imported += bool(report.imported + report.known)
        except UserError:
            pass  # in a sentence
        finally:
            path.unlink()

    def _look(self, name: str, data: bytes) -> None:
        self._visitor.visit = self.told.files // 20  # a visitor may bring so many
        way = f"/mmdemo/upload?name=f.{name}&task={task_of(name)}"
        answer = self._answer(way, data)
        if "item" not in answer:
            return
        self.told.uploaded += 1
        for look in LOOKS[task_of(name)]:
            self._answer(f"/mmdemo/{look}/{answer['item']}" + ("?t=0.2" if look == "frame" else ""))

    def _answer(self, way: str, data: bytes | None = None) -> dict[str, Any]:
        begun = 0.0
        got = self._page.get(way) if data is None else self._page.post(way, content=data)
        while (
            got.status_code == BUSY
            and (begun := begun or time.monotonic()) + LONGEST_COPY_S > time.monotonic()
        ):
            time.sleep(0.02)  # until the copy that browsers play is made
            got = self._page.get(way)
        if got.status_code >= 500:
            self.told.faults.append(f"{way}, file {self.told.files}: {got.status_code} {got.text[:200]}")
        is_json = got.headers.get("content-type", "").startswith("application/json")
        return dict(got.json()) if is_json else {}
