"""Whether the rows of a database hold values that mmdemo writes, which SQLite does not see to: asked of a
backup before it is taken in, and of a workspace that is checked.

A date that is none, or a text among numbers, would fail whoever reads the row, each time; so every row is
read here once, by the types of its table, and what the code relies on is looked at. What plug-ins name, such
as a task or a kind of label, is held to the form of a name alone: the plug-in may be gone.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Engine,
    Float,
    Integer,
    Row,
    Select,
    Table,
    select,
    type_coerce,
)
from sqlalchemy.exc import SQLAlchemyError

from mmdemo.asker import ROLES
from mmdemo.errors import reason
from mmdemo.store import changes, grants, short_links, splits, words
from mmdemo.store.runs import FINISHED, UNFINISHED
from mmdemo.store.tables import Base, Version

Check = Callable[[Any], bool]
AT_ONCE = 200  # rows that are in memory: a transcript of a day has megabytes
EARLIEST, LATEST = datetime(1970, 1, 1), datetime(3000, 1, 1)  # between which sums of dates are dates
LONGEST_S = 36e6  # of a medium, in seconds: 10,000 hours, where a day is what is taken
LAST_ID = 2_000_000_000  # what is numbered on has 31 bits
LONGEST_TEXT = 25_000  # characters of a text without a limit of its own: more than is taken of people
LONGEST_BODY = 20_000_000  # of what is searched: a transcript of a day, and more
SLACK = 4  # times a column's own limit: versions before did not hold all texts to it
DEEPEST = 30  # lists and objects of JSON within each other; ours are 8
SHOWN = 40  # characters of a value that a sentence repeats
NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")  # of a modality, a task or a kind of label

CHOICES: dict[tuple[str, str], frozenset[Any]] = {
    ("items", "split"): frozenset({None, *splits.SIDES}),
    ("pairs", "split"): frozenset({None, *splits.SIDES}),
    ("text_splits", "split"): frozenset({*splits.SIDES, *splits.NO_SIDE}),
    ("runs", "status"): frozenset({*UNFINISHED, *FINISHED}),
    ("runs", "decision"): frozenset({"", "promoted", "kept-old", "candidate"}),
    ("changes", "action"): frozenset({changes.REMOVE, changes.HIDE, changes.SHOW, changes.EDIT}),
    ("searchable_texts", "kind"): words.KINDS,
    ("grants", "kind"): frozenset(grants.KINDS),
    ("grants", "role"): frozenset(ROLES),
    ("sessions", "role"): frozenset(ROLES),
}
TABLES_OF_TASKS = (
    "imports",
    "pairs",
    "pair_leases",
    "versions",
    "activations",
    "runs",
    "attempts",
    "saved_searches",
)
NAMES = frozenset(
    [("items", "modality"), ("labels", "verdict")] + [(table, "task") for table in TABLES_OF_TASKS]
)
FORMS: dict[tuple[str, str], Check] = {  # of a text that is read
    ("short_links", "id"): lambda text: short_links.ID.fullmatch(text) is not None,
    ("short_links", "state"): lambda text: len(text) <= short_links.LONGEST and short_links.is_state(text),
    ("saved_searches", "state"): lambda text: len(text) <= short_links.LONGEST and short_links.is_state(text),
}
LEAST: dict[tuple[str, str], float] = {  # of a number, where there is one
    ("items", "bytes"): 0,
    ("items", "made_bytes"): 0,
    ("items", "width"): 1,
    ("items", "height"): 1,
    ("items", "duration_s"): 0,
    ("transcripts", "done_s"): 0,
    ("attempts", "series"): 1,
    ("attempts", "number"): 1,
    ("attempts", "items"): 0,
    ("grants", "uses_left"): 0,
    ("imports", "done"): 0,
}


class _Form(BaseModel):
    """What is read of an object of JSON; the rest is only shown."""

    model_config = ConfigDict(strict=True)


class _Word(_Form):
    model_config = ConfigDict(strict=True, extra="forbid")
    word: str
    start: float
    end: float
    probability: float = 0.0


class _Segment(_Form):
    text: str
    start: float
    end: float
    words: list[_Word]


class _Point(_Form):
    labels: int


class _Curve(_Form):
    points: list[_Point] = []


class _Gate(_Form):
    items: int = 0
    attempt: int | None = None
    p: float | None = None
    alpha: float | None = None


class _Sides(_Form):
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


class _Result(_Sides):
    """What came of a run."""

    seconds: float = 0.0
    gains: dict[str, Any] | None = None
    captions: _Sides | None = None
    transcripts: dict[str, Any] | None = None
    moments: _Sides | None = None
    accuracy: dict[str, Any] | None = None
    trained_on: dict[str, int] | None = None
    curve: _Curve | None = None
    gate: _Gate | None = None


SHAPES: dict[tuple[str, str], Any] = {
    ("imports", "counts"): dict[str, Any],
    ("changes", "details"): dict[str, Any],
    ("transcripts", "segments"): list[_Segment],
    ("runs", "settings"): dict[str, Any],
    ("runs", "result"): _Result | None,
}


def odd_values(engine: Engine) -> Iterator[str]:
    """What no row of mmdemo's holds, of each table the first: a part of a sentence.

    Args:
        engine: of a database with today's tables.
    """
    with engine.connect() as connection:
        for table in Base.metadata.sorted_tables:
            try:
                checks = [(column, _check_of(column)) for column in table.columns]
                odd = _odd(connection.execute(_all_of(table)), checks, "start_s" in table.columns)
            except (SQLAlchemyError, ValueError, TypeError, OverflowError, RecursionError) as e:
                odd = f"a row of {table.name} cannot be read: {reason(e)}"
            if odd:
                yield odd
        stands_on = select(Version.id, Version.parent).where(Version.parent.is_not(None))
        yield from _circles({one.id: str(one.parent) for one in connection.execute(stands_on)})


def _all_of(table: Table) -> Select[Any]:
    """Every row, a part at a time; what says yes or no as the number that is stored."""
    columns = [
        type_coerce(c, Integer).label(c.name) if isinstance(c.type, Boolean) else c for c in table.columns
    ]
    return select(*columns).execution_options(yield_per=AT_ONCE)


def _odd(rows: Iterable[Row[Any]], checks: Sequence[tuple[Column[Any], Check]], spans: bool) -> str:
    """What is wrong with the first row of a table that is not sound; empty: nothing."""
    for row in rows:
        for value, (column, is_sound) in zip(row, checks, strict=True):
            if not is_sound(value):
                return f"{_shown(value)} is no {column.name} of {column.table.name}"
        if spans and not _runs_forward(row.start_s, row.end_s):
            return f"the span {row.start_s:g}-{row.end_s:g} s does not run forward"
    return ""


def _circles(stands_on: dict[str, str]) -> Iterator[str]:
    """The first version that stands on itself, where whoever looks for its base would not come to an end."""
    sound: set[str] = set()
    for version in stands_on:
        line: dict[str, None] = {}
        at: str | None = version
        while at is not None and at not in sound:
            if at in line:
                yield f"the version {at} stands on itself"
                return
            line[at] = None
            at = stands_on.get(at)
        sound.update(line)


def _runs_forward(start_s: float | None, end_s: float | None) -> bool:
    return start_s is None or end_s is None or 0 <= start_s < end_s


def _check_of(column: Column[Any]) -> Check:
    """Says whether a column of ours can hold a value."""
    place = (column.table.name, column.name)
    if place in CHOICES:
        return CHOICES[place].__contains__
    if isinstance(column.type, JSON):
        shape = TypeAdapter(SHAPES[place])
        return lambda value: _is_plain(value) and _fits(shape, value)
    if place in FORMS:
        return lambda value: isinstance(value, str) and FORMS[place](value)
    is_sound = _check_of_type(column, LEAST.get(place, -math.inf))
    if place in NAMES:
        return lambda value: isinstance(value, str) and NAME.fullmatch(value) is not None
    return (lambda value: value is None or is_sound(value)) if column.nullable else is_sound


def _check_of_type(column: Column[Any], least: float) -> Check:
    kind = column.type
    if isinstance(kind, DateTime):
        return lambda value: isinstance(value, datetime) and EARLIEST <= value.replace(tzinfo=None) < LATEST
    if isinstance(kind, Boolean):
        return lambda value: value in (0, 1)
    if isinstance(kind, Integer):
        bits = 63 if isinstance(kind, BigInteger) else 31
        least, most = (0, LAST_ID) if column.primary_key else (max(least, -(2**bits)), 2**bits - 1)
        return lambda value: isinstance(value, int) and least <= value <= most
    if isinstance(kind, Float):
        most = LONGEST_S if column.name.endswith("_s") else sys.float_info.max
        least = max(least, -sys.float_info.max)
        return lambda value: isinstance(value, float | int) and least <= value <= most
    longest = SLACK * (getattr(kind, "length", None) or LONGEST_TEXT)
    if column.table.name == "searchable_texts" and column.name in ("body", "words"):
        longest = LONGEST_BODY
    return lambda value: isinstance(value, str) and len(value) <= longest


def _is_plain(value: Any) -> bool:
    """Whether what was read of JSON can be written again: it is not deep, and its numbers are some."""
    waiting: list[tuple[int, Any]] = [(0, value)]
    while waiting:
        depth, one = waiting.pop()
        inner: Iterable[Any] = one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
        if depth > DEEPEST or (isinstance(one, float) and not math.isfinite(one)):
            return False
        waiting.extend((depth + 1, more) for more in inner)
    return True


def _fits(shape: TypeAdapter[Any], value: Any) -> bool:
    try:
        shape.validate_python(value)
    except ValueError:
        return False
    return True


def _shown(value: Any) -> str:
    told = ascii(value)
    return told if len(told) <= SHOWN else f"{told[: SHOWN - 1]}…"
