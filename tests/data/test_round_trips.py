"""What leaves in a format comes back equal, or less just what `docs/formats.md` names of it."""

from __future__ import annotations

import io
import shutil
import tempfile
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmdemo.data.exporters import data_urls
from mmdemo.data.exporters.base import formats
from mmdemo.data.exporting import export_labels
from mmdemo.data.importing import import_source
from mmdemo.data.outgoing import Names
from mmdemo.errors import UserError
from mmdemo.label_kinds import LABEL_KINDS
from mmdemo.modality import modality_of
from mmdemo.settings import ASSETS, load_settings
from mmdemo.store.answers import consensus
from mmdemo.store.labels import NewLabel
from mmdemo.store.media_store import id_of
from mmdemo.store.pairs import PairView
from mmdemo.store.texts import clean_text, short_name, text_key
from mmdemo.store.workspace import Workspace
from tests.conftest import png

SIDES = ("train", "validation", "held-out")
TASKS = ("image-text", "speech-text", "video-text")
SETTINGS = load_settings({}, device="cpu")
LAYOUT = "out"  # the export's folder, which is the source of what does not say its own
SIGNS = "=+-@;'\" ,\t\n\r\\/<&|{}[]%#\x01\x1f\x7f\x85\u200f\u202e\u2028\ufeff\uff1d\u00e9\u732b\U0001f408"
ODD = (
    *("=1+1", "\uff1dSUM(A1)", " \t+cmd", "'=x", "a;'@b", "sep=;", '"', "a\u2028b\u0085c", "a\r\n\rb"),
    *("\x01NUL\x1f", "NA", "None", "null", "nan", "true", "007", "1e5", "[]", '{"a": 1}', "<b>&amp;</b>"),
    *(
        "\u202eabc",
        "\u05d0\u05d1\u05d2 \u0645\u0631",
        "\U0001f469\u200d\U0001f467",
        "e\u0301 \ufb01",
        "\ufeffa",
    ),
    *("match", "train", "x.png", "media/a.mp4", "a#1", "data:,a", "\\n", "a,b,c\td|e"),
)
WORDS = st.sampled_from(ODD) | st.text(
    st.sampled_from(SIGNS) | st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="\0"),
    max_size=20,
)
LONG = st.sampled_from(["\u732b x" * 500, "=" * 2000])
TEXTS = (WORDS | LONG | st.just("long " * 19)).filter(lambda text: any(c.isalnum() for c in text))
STEMS = st.text(
    st.sampled_from("ab =-;.%#\u00e9\u0301\u732b'(/:\u202e"), min_size=1, max_size=8
) | st.sampled_from(
    [
        "metadata",
        "train",
        "..",
        ".hidden",
        "con",
        "x" * 250,
        "e\u0301",
        "\u00e9",
        "a;'=b",
        "a#1.png",
        "A",
        "users",
    ]
)
SAYS = ("", "Ada", "Bo =1", "\u732b", " Ada ", "annotator", "\uff1d1", "nan", "a@b.example", "x" * 120)
SOURCES = ("samples", "my table", "search", ".hidden", " =1;\u2028 ", "\u202e\u732b", "none", "y" * 120)


@dataclass(frozen=True)
class Said:
    """A label."""

    verdict: str
    corrected: str = ""
    annotator: str = ""
    comment: str = ""
    span: tuple[float, float] | None = None  # a corrected one, in seconds
    undone: bool = False
    in_force: bool = field(default=False, compare=False, repr=False)


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


def labels_of(task: str) -> st.SearchStrategy[list[Said]]:
    """What people say of a pair, one after another."""
    said = st.builds(
        Said,
        st.sampled_from(list(LABEL_KINDS)),
        st.just("") | TEXTS.map(clean_text),
        st.sampled_from(SAYS),
        WORDS | LONG,
        st.sampled_from([None, None, None] if task == "image-text" else [None, None, (0.0, 0.6), (0.1, 0.7)]),
        st.sampled_from([False, False, False, True]),
    )
    return st.lists(said, min_size=1, max_size=4)


@st.composite
def collections(draw: st.DrawFn, task: str) -> list[OnePair]:
    """Pairs of two files, perhaps of one name; where they share texts, some pairs lie across the sides."""
    found: dict[tuple[object, ...], OnePair] = {}
    sides = [draw(st.sampled_from(SIDES)) for _ in range(2)]
    names = [draw(STEMS), draw(STEMS)] if draw(st.booleans()) else [draw(STEMS)] * 2
    shared = draw(st.booleans())
    of_text: dict[str, int] = {}
    for _ in range(draw(st.integers(1, 4))):
        item = draw(st.integers(0, 1))
        text = clean_text(draw(TEXTS))
        if not shared and of_text.setdefault(text_key(text), item) != item:
            continue
        start, end = draw(spans(task)) if task != "image-text" else (None, None)
        side = draw(st.sampled_from([sides[item], ""])) if shared else sides[item]
        name = names[item] + media(task)[item][1]
        source = draw(st.sampled_from(SOURCES))
        pair = OnePair(item, name, text, start, end, side, source, tuple(draw(labels_of(task))))
        found.setdefault((item, text_key(text), start, end), pair)
    return list(found.values())


@cache
def lasts(task: str) -> float:
    """Seconds that both files of a task have at least."""
    return min(modality_of(task).describe(data, SETTINGS).duration_s or 0.0 for data, _ in media(task))


@st.composite
def spans(draw: st.DrawFn, task: str) -> tuple[float | None, float | None]:
    """A span, either end of which may be open, or that of the file."""
    start = draw(st.none() | st.just(0.0) | st.floats(0, 0.4))
    return start, draw(st.none() | st.just(lasts(task)) | st.floats(0.5, 1.0))


def fill(ws: Workspace, task: str, pairs: list[OnePair]) -> list[OnePair]:
    """Put a collection into a workspace; returns it with the sides that the pairs have there."""
    undone, placed = [], []
    for pair in pairs:
        item = ws.add_media(modality_of(task).name, media(task)[pair.item][0], pair.name, source="t")
        with ws.database.write() as session:
            span = {"start_s": pair.start, "end_s": pair.end}
            row, _ = ws.pairs.add(
                session, task, item.id, pair.text, source=pair.source, split=pair.split or None, **span
            )
            placed.append(replace(pair, split=row.split or ""))
            for said in pair.labels:
                label = NewLabel(
                    said.verdict, said.corrected, *said.span or (None, None), said.comment, said.annotator
                )
                number = ws.labels.add_in(session, row, label)
                undone += [number] if said.undone else []
    for number in undone:
        ws.labels.undo(number)
    return placed


def told(ws: Workspace, task: str) -> list[OnePair]:
    """What a workspace holds, without the labels that were taken back."""
    numbers = {id_of(data): i for i, (data, _) in enumerate(media(task))}
    found: dict[int, OnePair] = {}

    def unsaid(view: PairView) -> OnePair:
        number, split = numbers[view.item], view.split or ""
        return OnePair(number, view.name, view.text, view.start_s, view.end_s, split, view.source, ())

    for view in ws.pairs.each_label(task, every=True):
        said = Said(view.verdict or "", view.corrected, view.annotator, view.comment)
        one = found.get(view.id) or unsaid(view)
        found[view.id] = replace(one, labels=(*one.labels, said))
    for view in ws.pairs.browse(task, state="unlabelled"):
        found[view.id] = unsaid(view)
    return list(found.values())


def place_of(pair: OnePair) -> tuple[object, ...]:
    """What makes a pair that pair."""
    return pair.item, text_key(pair.text), pair.start, pair.end


def leaving(task: str, pairs: list[OnePair], every: bool) -> list[OnePair]:
    """What is in an export: of each pair the labels that nobody took back, or the one in force; what lies
    across the sides comes last.
    """
    safe = Names(modality_of(task)).safe
    found = []
    for pair in pairs:
        alive = [(i, one.verdict, one.annotator) for i, one in enumerate(pair.labels) if not one.undone]
        in_force = consensus(alive)
        said = [
            replace(
                one,
                corrected="" if one.corrected == pair.text else one.corrected,
                annotator=one.annotator.strip(),
                comment=one.comment[:2000].strip(),
                span=None if one.span == (pair.start, pair.end) else one.span,
                in_force=i == in_force,
            )
            for i, one in enumerate(pair.labels)
            if not one.undone
        ]
        said = [one for one in said if every or one.in_force]
        last = {one: i for i, one in sorted(enumerate(said), key=lambda at: (at[1].in_force, at[0]))}
        kept = tuple(one for i, one in enumerate(said) if last[one] == i)
        name = safe(short_name(Path(pair.name).name), media(task)[pair.item][1])
        if kept:
            found.append(replace(pair, name=name, source=pair.source.strip(), labels=kept))
    first = {pair.item: pair.name for pair in reversed(found)}
    return sorted((replace(pair, name=first[pair.item]) for pair in found), key=lambda pair: not pair.split)


def by_span(pairs: list[OnePair]) -> list[OnePair]:
    """A label with a corrected span comes back as one of a pair of that span."""
    found: dict[tuple[object, ...], OnePair] = {}
    for pair in pairs:
        for said in pair.labels:
            start, end = said.span or (pair.start, pair.end)
            one = replace(pair, start=start, end=end, labels=())
            one = found.setdefault(place_of(one), one)
            own = replace(said, span=None)
            if own not in one.labels:
                found[place_of(one)] = replace(one, labels=(*one.labels, own))
    return list(found.values())


def last_of_each(pairs: list[OnePair]) -> list[OnePair]:
    """argilla has one answer of an annotator to a record, all of its span in force, and calls who has no name
    `annotator`.
    """
    made = []
    for pair in pairs:
        span = next(one.span for one in pair.labels if one.in_force)
        said = [
            replace(s, annotator="" if s.annotator == "annotator" else s.annotator, span=span)
            for s in pair.labels
        ]
        last = {one.annotator: i for i, one in enumerate(said)}
        made.append(replace(pair, labels=tuple(s for i, s in enumerate(said) if last[s.annotator] == i)))
    return by_span(made)


def for_training(pairs: list[OnePair], mismatches: bool = True) -> list[OnePair]:
    """sentence-transformers have a text, as it was corrected, and whether it fits; spans are left out."""
    found: dict[tuple[object, ...], OnePair] = {}
    for pair in pairs:
        lines: dict[tuple[str, str], None] = {}
        for said in pair.labels if pair.start is None and pair.end is None else ():
            if said.verdict == "unsure" or said.span:
                continue
            line = (said.corrected or pair.text, "match" if said.corrected else said.verdict)
            lines.pop(line, None)
            if mismatches or line[1] == "match":
                lines[line] = None
        for text, verdict in lines:
            place = (pair.item, text_key(text))
            one = found.get(place) or replace(pair, text=text, source=LAYOUT, labels=())
            known = Said(verdict) in one.labels
            found[place] = one if known else replace(one, labels=(*one.labels, Said(verdict)))
    held = any(pair.split == "held-out" for pair in found.values())
    return [p if held or p.split != "validation" else replace(p, split="held-out") for p in found.values()]


def without_labels(pairs: list[OnePair]) -> list[OnePair]:
    """OpenCLIP has what fits, without a word on who said so."""
    return [replace(pair, labels=()) for pair in for_training(pairs, mismatches=False)]


LOSSES: dict[str, Callable[[list[OnePair]], list[OnePair]]] = {
    "argilla": last_of_each,
    "open-clip": without_labels,
    "sentence-transformers": for_training,
}


def goes_round(task: str, format: str, pairs: list[OnePair], every: bool, inline: bool = True) -> None:
    with empty_workspace() as ws, empty_workspace() as other, pytest.MonkeyPatch.context() as patch:
        if not inline:
            patch.setattr(data_urls, "INLINE", 0)
        wanted = LOSSES.get(format, by_span)(leaving(task, fill(ws, task, pairs), every))
        out = ws.settings.workspace.parent / LAYOUT
        if not wanted:
            with pytest.raises(UserError, match="There are no"):
                export_labels(ws, out, task, format, every)
            return
        export_labels(ws, out, task, format, every)
        report = import_source(other, str(out), task)
        lost = [
            one for one in report.skipped if "says no more than" not in one.reason
        ]  # as one of another pair
        assert lost == []
        across = {place_of(pair) for pair in wanted if not pair.split}
        back = [replace(p, split="") if place_of(p) in across else p for p in told(other, task)]
        assert sorted(back, key=repr) == sorted(wanted, key=repr)


def of_task(format: str) -> list[str]:
    return [task for task in TASKS if format in formats(modality_of(task))]


CASES = [(format, task) for format in formats() for task in of_task(format)]
SLOWLY = settings(suppress_health_check=list(HealthCheck), max_examples=4)


@settings(SLOWLY)
@given(st.data())
def test_what_leaves_in_any_format_comes_back(data: st.DataObject) -> None:
    format, task = data.draw(st.sampled_from(CASES))
    goes_round(task, format, data.draw(collections(task)), data.draw(st.booleans()), data.draw(st.booleans()))


@pytest.mark.slow
@pytest.mark.parametrize(("format", "task"), CASES)
def test_what_leaves_in_a_format_comes_back(format: str, task: str) -> None:
    @settings(SLOWLY, max_examples=8)
    @given(collections(task), st.booleans(), st.booleans())
    def check(pairs: list[OnePair], every: bool, inline: bool) -> None:
        goes_round(task, format, pairs, every, inline)

    check()
