"""What a modality is: how it is read, described, embedded, searched, trained and shown, in one record.

The rows that ship are in `mmdemo/modalities/`, one file each; another package adds its own by
`MODALITIES.add(name, Modality(...))`. Everything else asks the record: no layer tests for a modality's name.
Nothing heavy may be imported when a row is added, only when one of its functions is called.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from mmdemo.errors import MediaError, RegistryError, UserError
from mmdemo.records import require_fields
from mmdemo.registry import Registry
from mmdemo.settings import Settings

DEFAULT_TASK = "image-text"
CAPTIONING = "captioning"  # a task of no modality: it learns from the labels of pictures


def labelled_task(task: str) -> str:
    """The task whose labels a model learns from: captioners learn from those of pictures."""
    return DEFAULT_TASK if task == CAPTIONING else task


NAME = re.compile(r"[a-z][a-z0-9-]{0,15}")  # what the database's columns hold
# What importers and archives are called; a file of a modality so named could not be told from them.
TABLES = frozenset([".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".json", ".txt", ".xlsx", ".zip"])

Workspace = Any  # of store/, which stands above
Item = Any  # a row of its table of items
Tower = Any  # a media tower of models/
Aligner = Any  # an aligner of models/


@dataclass(frozen=True)
class Facts:
    """What a file says of itself."""

    suffix: str  # that fits its bytes, whatever it was called
    width: int | None = None  # pixels
    height: int | None = None
    duration_s: float | None = None


@dataclass(frozen=True)
class Spans:
    """Of a modality whose spans have texts of their own: how they are seen through their parts.

    A place is (item, start, end) in seconds, open where None.
    """

    parts: Callable[[Workspace, str, Any], Any]  # of places by a tower's id: `heads.residual.Sequences`
    clips: Callable[
        [Workspace, str, Any], Any
    ]  # of places by a tower's id: all parts of each, with their times
    is_kept: Callable[[Workspace, str, str], bool]  # whether an item's parts are on disk, by the tower's id
    cut: Callable[[Any, float | None, float | None], Any]  # a span of a decoded medium
    end_s: Callable[[Any], float]  # of a decoded medium
    localise: Callable[[Workspace, Aligner, Any], Any]  # how well the spans of examples are found


@dataclass(frozen=True)
class Modality:
    """A modality and its task. Functions take what stands above this layer as it is there."""

    name: str  # image
    task: str  # image-text
    noun: str  # picture
    plural: str  # pictures
    title: str  # Pictures: in the page's switches
    default_model: str  # the preset that is its base version
    suffixes: frozenset[str]  # what its files are called, with the dot; there may be two: .series.csv
    describe: Callable[[bytes | Path, Settings], Facts]  # raises MediaError where it is no file of the kind
    decode: Callable[[Tower, bytes | Path, Settings | None], Any]  # what the tower takes of a file
    draw: Callable[[Workspace, Item, int], Any]  # a PIL picture of an item, its side at least so many pixels
    # The PIL pictures of an item in which something may be written; None: nothing is read in it.
    pictures: Callable[[Workspace, Item], Any] | None = None
    # What a media tower hears somebody say in an item, empty where nobody does; None: nothing is listened to.
    heard: Callable[[Workspace, Tower, Item], str] | None = None
    model_setting: str = ""  # the field of Settings that names another base version
    # What of an item is not looked at, as a sentence; empty: all of it is.
    not_looked_at: Callable[[Workspace, Item], str] | None = None
    tab: str = ""  # the page's own tab; empty: one like those of all others
    shown_first: tuple[str, ...] = ()  # what its tab begins with where they are there, by the files' names
    first_query: str = ""  # what its tab looks for at first, among the samples
    player: Literal["", "wave", "video"] = ""  # how the page plays it; empty: it shows its picture
    media_types: Mapping[str, str] = field(default_factory=dict)  # by suffix, of what browsers open as it is
    has_sound: bool = False  # whether it can be listened to
    holds: frozenset[str] = frozenset()  # other modalities that the same file can be read as
    at_once: int = 32  # media that go through a tower together
    sample: Callable[[Tower], Any] | None = None  # noise as the tower takes it, by which a new model is tried
    load: Callable[[Workspace, Tower, Item], Any] | None = None  # as `decode` of an item, from what is kept
    decode_span: Callable[[Tower, bytes | Path, float, float | None], Any] | None = None  # a part of a file
    spans: Spans | None = None  # None: a span is a part of the item's one text
    # The media of (workspace, encoder, examples) as encoders are trained on them; None: only heads learn.
    pair_dataset: Callable[[Workspace, Any, Any], Any] | None = None
    searcher: Callable[[Workspace, Any, str], Any] | None = None  # of a task; None: the plain one
    # The JSON of `caption` of (app, item, version); None: what people confirmed of others, ranked.
    caption: Callable[[Any, Item, str | None], dict[str, Any]] | None = None
    # Words that (workspace, towers, examples) teach transcripts, when a head learns.
    vocabulary: Callable[[Workspace, Any, Any], list[str]] | None = None
    # Why a pair would teach, and (N,) how much by that, of (workspace, aligner, N pairs); beside the shared
    # space's own doubt.
    doubts: tuple[tuple[str, Callable[[Workspace, Aligner, Any], Any]], ...] = ()
    pipeline_tag: str = ""  # the Hub's word for what its models do
    known_as: str = ""  # what other tools call its files; empty: they have no name for them

    def __post_init__(self) -> None:
        require_fields(self)
        for what, name in (("name", self.name), ("task", self.task)):
            if not NAME.fullmatch(name):
                raise RegistryError(
                    f"The {what} {name!r} of a modality cannot be kept.",
                    "Use at most 16 small letters, digits and hyphens, a letter first.",
                )
        settings = [one.name for one in fields(Settings)]
        if self.model_setting and self.model_setting not in settings:
            raise RegistryError(
                f"There is no setting {self.model_setting!r}, which is to name the model of {self.name!r}.",
                "Leave it out: then the default model is the base version.",
            )
        if taken := sorted(self.suffixes & TABLES):
            raise RegistryError(
                f"The modality {self.name!r} takes {', '.join(taken)}, which are tables of imports.",
                f"Use a suffix of two parts, such as .{self.name}{taken[0]}.",
            )

    @property
    def one(self) -> str:
        """One of it in a sentence: a picture."""
        return f"{'an' if self.noun[0] in 'aeiou' else 'a'} {self.noun}"

    def claims(self, path: Path) -> bool:
        """Whether a file is called like one of it."""
        return path.name.lower().endswith(tuple(self.suffixes))


class Modalities(Registry[Modality]):
    """The table, in which no two modalities share a task."""

    def _check(self, entry: Modality) -> None:
        taken = [CAPTIONING, *(other.task for other in self._entries.values())]
        if entry.task in taken:
            raise RegistryError(
                f"There is a task named {entry.task!r} already.",
                f"Choose another name than: {', '.join(taken)}.",
            )


MODALITIES = Modalities(
    "modality",
    Modality,
    [f"mmdemo.modalities.{name}" for name in ("image", "audio", "video")],
)


class _Tasks(Mapping[str, str]):
    """The name of each task's modality: a view of the table."""

    def __getitem__(self, task: str) -> str:
        return {m.task: m.name for m in MODALITIES.values()}[task]

    def __iter__(self) -> Iterator[str]:
        return (m.task for m in MODALITIES.values())

    def __len__(self) -> int:
        return len(MODALITIES)


TASKS: Mapping[str, str] = _Tasks()


def modality_of(task: str) -> Modality:
    """The modality of a task.

    Raises:
        UserError: there is no such task; the sentence lists those there are.
    """
    found = {m.task: m for m in MODALITIES.values()}
    if task not in found:
        raise UserError(f"There is no task {task!r}.", f"Use one of: {', '.join(found)}.")
    return found[task]


def task_of_file(path: Path, settings: Settings) -> str:
    """The task of a file: by its name or, where several or none claim that, by what can be read in it."""
    every = MODALITIES.values()
    claiming = [m for m in every if m.claims(path)]
    held = frozenset[str]().union(*(m.holds for m in every))
    asked = sorted(
        claiming or every, key=lambda m: m.name in held
    )  # a video, which holds sound, before sound
    for modality in asked if len(asked) > 1 else ():
        try:
            modality.describe(path, settings)
        except MediaError:
            continue
        return modality.task
    return claiming[-1].task if claiming else DEFAULT_TASK


def is_medium(path: Path) -> bool:
    """Whether a file is called like one of any modality and is not hidden."""
    return not path.name.startswith(".") and any(m.claims(path) for m in MODALITIES.values())


def any_medium() -> str:
    """What files can be, in a sentence: a picture, a recording or a video."""
    *most, last = [m.one for m in MODALITIES.values()]
    return f"{', '.join(most)} or {last}"


def base_model(modality: Modality, settings: Settings) -> str:
    """The preset that is a modality's base version, by its setting: it may be auto."""
    return (
        str(getattr(settings, modality.model_setting)) if modality.model_setting else modality.default_model
    )
