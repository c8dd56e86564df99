"""What an exporter is, and the table of exporters.

An exporter is one file in this folder, or a file of another package (see mmdemo/registry.py): a function that
writes the labels for one tool, and a line that puts it into the table under its name:

    EXPORTERS.add("csv", Exporter("a manifest for spreadsheets", 110, write_csv))

It is listed in the Data tab, and its name is what `export --format` and `/export` take.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from mmdemo.modality import MODALITIES, Modality
from mmdemo.registry import Registry, modules_in

MEDIA = "media"  # the folder with the files, inside the export's


@dataclass(frozen=True)
class ExportedLabel:
    """A labelled pair as it leaves: the columns of the manifests, in their order."""

    file_name: str  # of the pair's file, relative to the export's folder
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

    @property
    def final_text(self) -> str:
        """The corrected text where there is one."""
        return self.corrected_text or self.text

    @property
    def key(self) -> str:
        """What other tools call a file of its modality; of one that they do not know, `file`."""
        return MODALITIES.get(self.modality).known_as or "file"


COLUMNS = tuple(field.name for field in fields(ExportedLabel))


@dataclass(frozen=True)
class Exporter:
    """A format that labels are exported in."""

    about: str  # one line for who chooses: what is written, and for which tool
    order: int  # its place in lists, lowest first: 100-199 manifests, 200-299 libraries, 300-399 other tools
    write: Callable[[Path, Sequence[ExportedLabel]], Path]
    """Write the labels into a folder that has their files in `media/` already; returns what to open first.

    It may move or remove those files, and raises OSError where the disk refuses.
    """
    places: frozenset[str] | None = None  # what the files are called that it has a place for; None: any

    def takes(self, modality: Modality) -> bool:
        """Whether it has a place for files of a modality."""
        return self.places is None or modality.known_as in self.places


EXPORTERS: Registry[Exporter] = Registry("export format", Exporter, modules_in(__package__))


def formats(modality: Modality | None = None) -> dict[str, str]:
    """The name of each format and what it is, in their order; of a modality, those that take it."""
    found = sorted(EXPORTERS.items(), key=lambda entry: entry[1].order)
    return {name: exporter.about for name, exporter in found if modality is None or exporter.takes(modality)}


def write_json(path: Path, value: Any) -> Path:
    """A JSON file for people to read too."""
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return path
