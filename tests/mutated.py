"""Inputs of every layout with a table or text of theirs mutated, and an import of each: no row may be lost,
and nothing but a sentence may come of what cannot be read.
"""

from __future__ import annotations

import logging
import random
import re
import shutil
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mmdemo.data.importing import import_source
from mmdemo.data.reading import open_source
from mmdemo.data.rows import Row
from mmdemo.errors import UserError
from mmdemo.media.regular_file import is_file
from mmdemo.modality import is_medium
from mmdemo.store.workspace import Workspace

Mutate = Callable[[bytes, random.Random], bytes]
FIELDS = re.compile(rb"[^,\t\n:\"\[\]{}|]+")
VALUES = (
    *(b"", b"null", b"NaN", b"-1e309", b"[]", b"{}", b"\0", b"\xff\xfe", b"../../x", b"=1+1", b'"'),
    b"9" * 5000,
)
TASKS = ("image-text", "speech-text", "video-text")


def _flipped(data: bytes, chance: random.Random) -> bytes:
    made = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        made[chance.randrange(len(made))] ^= 1 << chance.randrange(8)
    return bytes(made)


def _cut(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data))]


def _repeated(data: bytes, chance: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    at = chance.randrange(len(lines))
    return b"".join([*lines[:at], *lines[at : at + 2] * chance.randint(2, 5), *lines[at:]])


def _swapped(data: bytes, chance: random.Random) -> bytes:
    """Two fields in each other's place."""
    found = list(FIELDS.finditer(data))
    if len(found) < 2:
        return _flipped(data, chance)
    first, second = sorted(chance.sample(range(len(found)), 2))
    a, b = found[first], found[second]
    return data[: a.start()] + b[0] + data[a.end() : b.start()] + a[0] + data[b.end() :]


def _in_other_letters(data: bytes, chance: random.Random) -> bytes:
    text = data.decode("utf-8", "replace")
    how = chance.choice(["utf-16", "utf-16-le", "utf-8-sig", "cp1252", "shift-jis", "utf-32"])
    return text.encode(how, "replace")


def _other_value(data: bytes, chance: random.Random) -> bytes:
    found = list(FIELDS.finditer(data))
    if not found:
        return data + b"\0"
    one = chance.choice(found)
    return data[: one.start()] + chance.choice(VALUES) + data[one.end() :]


MUTATIONS: tuple[Mutate, ...] = (_flipped, _cut, _repeated, _swapped, _in_other_letters, _other_value)


@dataclass
class Mutated:
    """What came of them."""

    sources: int = 0
    imported: int = 0  # into a workspace; of the others the rows were read
    rows: int = 0
    skipped: int = 0  # rows
    refused: int = 0  # sources, in a sentence
    slowest_s: float = 0.0
    faults: list[str] = field(default_factory=list)


class Tracebacks(logging.Handler):
    """The tracebacks that go into the log."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        if record.exc_info:
            self.told.append(f"{record.getMessage()}: {traceback.format_exception(*record.exc_info)[-2:]}")


@contextmanager
def tracebacks() -> Iterator[Tracebacks]:
    """The tracebacks of this block."""
    heard = Tracebacks()
    logging.getLogger("mmdemo").addHandler(heard)
    try:
        yield heard
    finally:
        logging.getLogger("mmdemo").removeHandler(heard)


def mutate(folder: Path, chance: random.Random) -> str:
    """Change one of the files that are no media; how, and which."""
    files = sorted(f for f in folder.rglob("*") if is_file(f) and f.stat().st_size and not is_medium(f))
    if not files:
        return "as it was"
    file, how = chance.choice(files), chance.choice(MUTATIONS)
    file.write_bytes(how(file.read_bytes(), chance))
    return f"{how.__name__[1:]} {file.relative_to(folder)}"


def take(ws: Workspace, made: Path, folder: Path, chance: random.Random, told: Mutated, whole: bool) -> None:
    """Mutate a copy of an input, and read or import it.

    Args:
        ws: where to.
        made: the input: a folder, or a file in one.
        folder: it lies in.
        chance: decides what is changed, and for which task it is read.
        told: goes on with what comes of it.
        whole: whether it is imported.
    """
    copy = folder.with_name("mutated")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    what, task = mutate(copy, chance), chance.choice(TASKS)
    source = str(copy / made.relative_to(folder))
    told.sources += 1
    begun = time.perf_counter()
    with tracebacks() as heard:
        try:
            if whole:
                _import(ws, source, task, told)
            else:
                _read(source, task, told)
        except UserError as e:
            told.refused += 1
            if not str(e).endswith("."):
                told.faults.append(f"{folder.name}, {what}: no sentence: {e}")
        except Exception as e:
            told.faults.append(f"{folder.name}, {what}: {type(e).__name__}: {e}")
    told.faults += [f"{folder.name}, {what}: {one}" for one in heard.told]
    told.slowest_s = max(told.slowest_s, time.perf_counter() - begun)


def _read(source: str, task: str, told: Mutated) -> None:
    with open_source(source, task=task) as opened:
        for row in opened.rows():
            told.rows += 1
            if isinstance(row, Row):
                continue
            told.skipped += 1
            if not row.reason.endswith("."):
                told.faults.append(f"{source}: no sentence: {row.reason}")


def _import(ws: Workspace, source: str, task: str, told: Mutated) -> None:
    report = import_source(ws, source, task)
    told.imported += 1
    told.rows += report.rows
    told.skipped += len(report.skipped)
    if report.rows != report.imported + report.known + len(report.skipped):
        told.faults.append(f"{source}: of {report.rows} rows some are neither imported, known nor skipped")
    reasons = (skipped.reason for skipped in report.skipped)
    told.faults += [f"{source}: no sentence: {reason}" for reason in reasons if not reason.endswith(".")]
