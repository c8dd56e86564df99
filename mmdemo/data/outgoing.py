"""The labels of a task as they leave, one at a time, each with its file in the export's folder."""

from __future__ import annotations

import re
import shutil
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from mmdemo.data.exporters.base import MEDIA, ExportedLabel, Exporter
from mmdemo.modality import Modality, modality_of
from mmdemo.store.pairs import PairView
from mmdemo.store.workspace import Workspace

NO_NAME = re.compile(r"[\x00-\x1f\x7f-\x9f<>:\"/\\|?*]")  # what some file system does not take
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)  # names of devices of Windows


class Outgoing:
    """The labels, to be gone through; its counts are those of the last time.

    Args:
        ws: where from.
        task: whose.
        every: whether every label leaves that nobody took back, and not only the one in force.
        exporter: the format.
        out: the export's folder, into which the files are copied unless the format packs them.
        items: only the labels on these; empty: on all.
    """

    def __init__(
        self,
        ws: Workspace,
        task: str,
        every: bool,
        exporter: Exporter,
        out: Path,
        items: Collection[str] = (),
    ) -> None:
        self.chosen = frozenset(items)
        self._ws, self._task, self._every, self._exporter, self._out = ws, task, every, exporter, out
        self._names = Names(modality_of(task))
        self.pairs = self.labels = 0

    def __iter__(self) -> Iterator[ExportedLabel]:
        self.pairs = self.labels = 0
        for _, views in groupby(self._views(), lambda view: view.id):
            found = [label for label in self._of_pair(list(views)) if self._keeps(label)]
            self.pairs += bool(found)
            self.labels += len(found)
            for label in map(self._placed, found):
                self._bring(label)
                yield label

    def any(self) -> bool:
        """Whether there is anything to export."""
        return any(self._keeps(label) for view in self._views() for label in self._of_pair([view]))

    def _views(self) -> Iterator[PairView]:
        views = self._ws.pairs.each_label(self._task, self._every)
        return (view for view in views if not self.chosen or view.item in self.chosen)

    def _keeps(self, label: ExportedLabel) -> bool:
        return self._exporter.keeps is None or self._exporter.keeps(label)

    def _of_pair(self, views: list[PairView]) -> list[ExportedLabel]:
        """The labels of a pair, the oldest first; of several that say the same, the one in force, or else the
        last. Blanks around what somebody wrote say nothing.
        """
        name = f"{MEDIA}/{self._names.of(views[0])}"
        order = sorted(range(len(views)), key=lambda i: (views[i].label == views[i].in_force, i))
        said = {_words(views[i]): i for i in order}
        return [self._label(views[i], name) for i in sorted(said.values())]

    def _label(self, pair: PairView, name: str) -> ExportedLabel:
        return ExportedLabel(
            file_name=name,
            text=pair.text,
            verdict=pair.verdict or "",
            corrected_text=pair.corrected,
            start=pair.start_s,
            end=pair.end_s,
            split=pair.split or "",
            annotator=pair.annotator.strip(),
            comment=pair.comment.strip(),
            item=pair.item,
            label=pair.label or 0,
            source=pair.source.strip(),
            modality=modality_of(self._task).name,
            pair=pair.id,
            in_force=pair.label == pair.in_force,
            duration_s=pair.duration_s,
            medium=self._ws.media.path(pair.item, pair.suffix),
        )

    def _placed(self, label: ExportedLabel) -> ExportedLabel:
        """The label, with its file where it is outside of the workspace.

        Raises:
            GoneError: it is there no more.
        """
        if label.medium.is_file():
            return label
        item = self._ws.items.get(label.item)
        return replace(label, medium=self._ws.media_path(item)) if item is not None else label

    def _bring(self, label: ExportedLabel) -> None:
        """Copy the label's file to its place, unless it is there."""
        place = self._out / label.file_name
        if self._exporter.packs or place.exists():
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(label.medium, place)


def _words(label: PairView) -> tuple[object, ...]:
    """What a label says, and who."""
    said = (label.verdict, label.corrected, label.start_s, label.end_s)
    return *said, label.annotator.strip(), label.comment.strip()


class Names:
    """What the files of items are called in an export: as where they came from.

    The second of a name, however it is capitalised, is in a folder of its own. Of each name and item two
    numbers are kept.
    """

    def __init__(self, modality: Modality) -> None:
        self._modality = modality
        self._taken: dict[int, int] = {}

    def of(self, pair: PairView) -> str:
        """The name of a pair's file, below the folder of all."""
        name = self.safe(pair.name, pair.suffix)
        item = int(pair.item[:15], 16)
        of_name = hash(unicodedata.normalize("NFC", name).casefold())
        return name if self._taken.setdefault(of_name, item) == item else f"{pair.item[:16]}/{name}"

    def safe(self, name: str, suffix: str) -> str:
        """The name as every file system takes it; one that says nothing of the kind of file gets a suffix."""
        kept = NO_NAME.sub("_", name).strip().rstrip(". ")
        if kept.startswith(".") or RESERVED.match(kept):
            kept = f"_{kept}"
        kept = kept or self._modality.name
        return kept if self._modality.claims(Path(kept)) else f"{kept}{suffix}"
