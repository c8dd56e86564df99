"""What an exporter is, and the table of exporters.

An exporter is one file in this folder, or a file of another package (see mmdemo/registry.py): a function that
writes the labels for one tool, and a line that puts it into the table under its name:

    EXPORTERS.add("csv", Exporter("a manifest for spreadsheets", 110, write_csv))

It is listed in the Data tab, and its name is what `export --format` and `/export` take.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from mmdemo.modality import MODALITIES, Modality
from mmdemo.registry import Registry, modules_in

MEDIA = "media"  # the folder with the files, inside the export's
OF_SIDES = {"train": "train", "validation": "validation", "held-out": "test", "": "across"}  # in file names


@dataclass(frozen=True)
class ExportedLabel:
    """A labelled pair as it leaves: the columns of the manifests, in their order, and where its file is."""

    file_name: str  # of the pair's file, relative to the export's folder; its last part is the item's own
    text: str
    verdict: str  # the name of a label kind
    corrected_text: str
    start: float | None  # seconds
    end: float | None
    split: str  # empty: item and text are on different sides
    annotator: str
    comment: str
    item: str
    label: int
    source: str
    modality: str  # the name of the file's
    pair: int = 0
    in_force: bool = True  # whether it stands for all of the pair's; each does unless every label is exported
    # No columns:
    medium: Path = Path()  # the file itself
    duration_s: float | None = None  # of it

    @property
    def final_text(self) -> str:
        """The corrected text where there is one."""
        return self.corrected_text or self.text

    @property
    def key(self) -> str:
        """What other tools call a file of its modality; of one that they do not know, `file`."""
        return MODALITIES.get(self.modality).known_as or "file"

    @property
    def name(self) -> str:
        """What the file is called."""
        return self.file_name.rpartition("/")[2]

    @property
    def is_span(self) -> bool:
        """Whether it is about a part of the file."""
        return self.start is not None or self.end is not None

    def columns(self) -> dict[str, Any]:
        """What it says, by the names of the columns."""
        return {name: getattr(self, name) for name in COLUMNS}


COLUMNS = tuple(one.name for one in fields(ExportedLabel) if one.name not in {"medium", "duration_s"})
Labels = Iterable[ExportedLabel]


@dataclass(frozen=True)
class Exporter:
    """A format that labels are exported in."""

    about: str  # one line for who chooses: what is written, and for which tool
    order: int  # its place in lists, lowest first: 100-199 manifests, 200-299 libraries, 300-399 other tools
    write: Callable[[Path, Labels], Path]
    """Write the labels into a new folder; returns what to open first.

    The labels come one at a time and are gone through once, to the end: there may be more than fit in memory.
    The file of each is in the folder when it comes. It raises OSError where the disk refuses.
    """
    places: frozenset[str] | None = None  # what the files are called that it has a place for; None: any
    packs: bool = False  # whether the files are written into its own, so that none need lie beside them
    # Whether it has a place for a label; what is passed over is told by the first of `leaves_out`.
    keeps: Callable[[ExportedLabel], bool] | None = None
    leaves_out: tuple[str, ...] = ()  # what it cannot carry, as the page tells it before: "comments"

    def takes(self, modality: Modality) -> bool:
        """Whether it has a place for files of a modality."""
        return self.places is None or modality.known_as in self.places


EXPORTERS: Registry[Exporter] = Registry("export format", Exporter, modules_in(__package__))


def formats(modality: Modality | None = None) -> dict[str, str]:
    """The name of each format and what it is, in their order; of a modality, those that take it."""
    found = sorted(EXPORTERS.items(), key=lambda entry: entry[1].order)
    return {name: exporter.about for name, exporter in found if modality is None or exporter.takes(modality)}


def write_list(path: Path, values: Iterable[Any]) -> Path:
    """A JSON list, one value a line, of which one at a time is in memory."""
    with path.open("w", encoding="utf-8") as f:
        for i, value in enumerate(values):
            f.write(f"{',' if i else '['}\n{json.dumps(value, ensure_ascii=False)}")
        f.write("\n]\n")
    return path
