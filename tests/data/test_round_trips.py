"""What leaves in a format comes back equal, or less just what `docs/formats.md` names of it."""

from __future__ import annotations

import io
import shutil
import tempfile
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmdemo.data.exporters.base import formats
from mmdemo.data.exporting import export_labels
from mmdemo.data.importing import import_source
from mmdemo.data.outgoing import Names
from mmdemo.modality import modality_of
from mmdemo.settings import ASSETS, load_settings
from mmdemo.store.labels import NewLabel
from mmdemo.store.media_store import id_of
from mmdemo.store.pairs import PairView
from mmdemo.store.texts import clean_text, short_name, text_key
from mmdemo.store.workspace import Workspace
from tests.conftest import png

SIDES = ("train", "validation", "held-out")
TASKS = ("image-text", "speech-text", "video-text")
SIGNS = "=+-@;'\" ,\t\n\r\\/<&|{}[]%#\u2028\uff1d\u00e9\u732b\U0001f408"
WORDS = st.text(
    st.sampled_from(SIGNS) | st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20
)
TEXTS = WORDS.filter(str.strip).filter(lambda text: any(c.isalnum() for c in text))
STEMS = st.text(st.sampled_from("ab =-;.%#\u00e9\u732b'(/:"), min_size=1, max_size=8)


@dataclass(frozen=True)
class Said:
    """A label."""

    verdict: str
    corrected: str = ""
    annotator: str = ""
    comment: str = ""


@dataclass(frozen=True)
class OnePair:
    """A pair as it is told: its item by its number, its text, span, side and source, and its labels."""

    item: int
    name: str
    text: str
    start: float | None
    end: float | None
    split: str
    source: str
    labels: tuple[Said, ...]


@cache
def media(task: str) -> list[tuple[bytes, str]]:
    """Two files of a task, with their suffix."""
    if task == "image-text":
        return [(png((10, 200, 30 * i)), ".png") for i in range(2)]
    if task == "video-text":
        return [(path.read_bytes(), ".mp4") for path in sorted((ASSETS / "video").glob("*.mp4"))[:2]]
    made = []
    for i in range(2):
        sound = io.BytesIO()
        with wave.open(sound, "wb") as f:
            f.setnchannels(1)
            f.setsampwidth(2)
            f.setframerate(8000)
            f.writeframes(bytes([i + 1, 0, 200, i]) * 4000)
        made.append((sound.getvalue(), ".wav"))
    return made


@contextmanager
def empty_workspace() -> Iterator[Workspace]:
    folder = Path(tempfile.mkdtemp(prefix="mmdemo-trip-"))
    ws = Workspace(load_settings({}, workspace=folder / "w", samples=False, device="cpu"))
    try:
        yield ws
    finally:
        ws.close()
        shutil.rmtree(folder)


LABELS = st.lists(
    st.builds(
        Said,
        st.sampled_from(["match", "mismatch", "unsure"]),
        st.just("") | TEXTS.map(clean_text),
        st.sampled_from(["", "Ada", "Bo =1", "\u732b"]),
        WORDS.map(str.strip),
    ),
    min_size=1,
    max_size=4,
)


@st.composite
def collections(draw: st.DrawFn, task: str) -> list[OnePair]:
    """Pairs of two files, of which no text is of both."""
    found: dict[tuple[object, ...], OnePair] = {}
    of_text: dict[str, int] = {}
    sides = [draw(st.sampled_from(SIDES)) for _ in range(2)]
    names = [draw(STEMS) for _ in range(2)]
    for _ in range(draw(st.integers(1, 4))):
        item = draw(st.integers(0, 1))
        text = clean_text(draw(TEXTS))
        if of_text.setdefault(text_key(text), item) != item:
            continue
        start, end = draw(spans()) if task != "image-text" else (None, None)
        labels = tuple(
            replace(said, corrected="" if said.corrected == text else said.corrected) for said in draw(LABELS)
        )
        source = draw(st.sampled_from(["samples", "my table", "search"]))
        name = names[item] + media(task)[item][1]
        pair = OnePair(item, name, text, start, end, sides[item], source, labels)
        found.setdefault((item, text_key(text), start, end), pair)
    return list(found.values())


@st.composite
def spans(draw: st.DrawFn) -> tuple[float | None, float | None]:
    """A span of a second, either end of which may be open."""
    start = draw(st.none() | st.floats(0, 0.4))
    return start, draw(st.none() | st.floats(0.5, 1.0))


def fill(ws: Workspace, task: str, pairs: list[OnePair]) -> None:
    """Put a collection into a workspace."""
    for pair in pairs:
        item = ws.add_media(modality_of(task).name, media(task)[pair.item][0], pair.name, source="t")
        with ws.database.write() as session:
            span = {"start_s": pair.start, "end_s": pair.end}
            row, _ = ws.pairs.add(
                session, task, item.id, pair.text, source=pair.source, split=pair.split, **span
            )
            for said in pair.labels:
                label = NewLabel(
                    said.verdict, text=said.corrected, annotator=said.annotator, comment=said.comment
                )
                ws.labels.add_in(session, row, label)


def told(ws: Workspace, task: str, every: bool) -> list[OnePair]:
    """What a workspace holds."""
    numbers = {id_of(data): i for i, (data, _) in enumerate(media(task))}
    found: dict[int, OnePair] = {}

    def unsaid(view: PairView) -> OnePair:
        number, split = numbers[view.item], view.split or ""
        return OnePair(number, view.name, view.text, view.start_s, view.end_s, split, view.source, ())

    for view in ws.pairs.each_label(task, every):
        said = Said(view.verdict or "", view.corrected, view.annotator, view.comment)
        one = found.get(view.id) or unsaid(view)
        found[view.id] = replace(one, labels=(*one.labels, said))
    for view in ws.pairs.browse(task, state="unlabelled"):
        found[view.id] = unsaid(view)
    return sorted(found.values(), key=repr)


def expected(task: str, format: str, pairs: list[OnePair], every: bool) -> list[OnePair]:
    """What comes back: all, less what `docs/formats.md` names."""
    safe = Names(modality_of(task)).safe
    found = []
    for pair in pairs:
        said = pair.labels if every else pair.labels[-1:]
        last = {one: i for i, one in enumerate(said)}
        kept = [one for i, one in enumerate(said) if last[one] == i]
        name = safe(short_name(Path(pair.name).name), media(task)[pair.item][1])
        found.append(replace(pair, name=name, labels=tuple(kept)))
    return sorted(LOSSES.get(format, lambda pairs: pairs)(found), key=repr)


def last_of_each(pairs: list[OnePair]) -> list[OnePair]:
    """argilla has one answer of an annotator to a record."""
    made = []
    for pair in pairs:
        last = {said.annotator: i for i, said in enumerate(pair.labels)}
        made.append(
            replace(pair, labels=tuple(s for i, s in enumerate(pair.labels) if last[s.annotator] == i))
        )
    return made


LOSSES: dict[str, Callable[[list[OnePair]], list[OnePair]]] = {"argilla": last_of_each}


def goes_round(task: str, format: str, pairs: list[OnePair], every: bool) -> None:
    with empty_workspace() as ws, empty_workspace() as other:
        fill(ws, task, pairs)
        out = ws.settings.workspace.parent / "out"
        export_labels(ws, out, task, format, every)
        report = import_source(other, str(out), task)
        assert report.skipped == []
        assert told(other, task, True) == expected(task, format, pairs, every)


def of_task(format: str) -> list[str]:
    return [task for task in TASKS if format in formats(modality_of(task))]


FORMATS = ["jsonl", "csv", "parquet", "datasets", "webdataset", "coco", "label-studio", "argilla"]
CASES = [(format, task) for format in FORMATS for task in of_task(format)]
SLOWLY = settings(suppress_health_check=list(HealthCheck), max_examples=4)


@settings(SLOWLY)
@given(st.data())
def test_what_leaves_in_any_format_comes_back(data: st.DataObject) -> None:
    format, task = data.draw(st.sampled_from(CASES))
    goes_round(task, format, data.draw(collections(task)), data.draw(st.booleans()))


@pytest.mark.slow
@pytest.mark.parametrize(("format", "task"), CASES)
def test_what_leaves_in_a_format_comes_back(format: str, task: str) -> None:
    @settings(SLOWLY, max_examples=25)
    @given(collections(task), st.booleans())
    def check(pairs: list[OnePair], every: bool) -> None:
        goes_round(task, format, pairs, every)

    check()
