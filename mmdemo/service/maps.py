"""The map of a collection: where items lie, how they were answered, and how well they fit a text."""

from __future__ import annotations

import threading
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from mmdemo.asker import current
from mmdemo.bounds import TRUSTED_WITH_TIME
from mmdemo.errors import UserError
from mmdemo.modality import modality_of
from mmdemo.models.protocols import Task
from mmdemo.retrieval.background import put_newest
from mmdemo.service.context import Context, check_task
from mmdemo.service.searching import searcher_by
from mmdemo.service.shared_json import SharedJson, SharedParts
from mmdemo.store.facets import Marks
from mmdemo.store.texts import text_key

if TYPE_CHECKING:
    from mmdemo.models.aligner import HeadAligner
    from mmdemo.retrieval.maps.keeper import Maps, Standing
    from mmdemo.retrieval.maps.kept import KeptMap
    from mmdemo.retrieval.maps.scores import Scores

LOOKS_S = 0.5  # between looks at whether the index is made
NO_GROUP = 255  # as a byte
HELD = 4  # maps that are kept as they are shown, and as the page is sent them: 12 MB of 100,000 items


@dataclass(frozen=True)
class ShownMap:
    """What of a map answers may show: N items, in the order of the map's rows."""

    kept: KeptMap
    marks: Marks
    of_map: np.ndarray  # (N,) their rows of the map
    of_marks: np.ndarray  # (N,) and among what is known of each

    @cached_property
    def ids(self) -> list[str]:
        """The items."""
        return [self.marks.ids[row] for row in self.of_marks.tolist()]

    @cached_property
    def places(self) -> np.ndarray:
        """(N, 2) float32 in 0..1, up and to the right: the wider side of the map is 1, the other in its
        middle.
        """
        found = self.kept.places[self.of_map]
        if not len(found):
            return found
        low, high = found.min(axis=0), found.max(axis=0)
        width = max(float((high - low).max()), 1e-9)
        return np.asarray(0.5 + (found - (low + high) / 2) / width, np.float32)

    @cached_property
    def groups(self) -> list[dict[str, Any]]:
        """The groups: name, the middle of what lies there, and how many items. Names are of the texts of
        before the last change: what was removed, hidden or edited since may be among them.
        """
        known = self.kept.made_of[0] == self.marks.at[0]
        own = self.kept.groups[self.of_map]
        found = []
        for group, name in enumerate(self.kept.names):
            there = self.places[own == group]
            x, y = np.median(there, axis=0).tolist() if len(there) else (0.5, 0.5)
            found.append(
                {"name": name if known else "", "x": round(x, 4), "y": round(y, 4), "items": len(there)}
            )
        return found

    @cached_property
    def answers(self) -> str:
        """(N,) uint8 in base64: how each was answered, by its place among the kinds."""
        return packed(self.marks.answer[self.of_marks], np.uint8)

    def points(self) -> SharedJson:
        """All that the page draws but the answers; numbers in bytes as base64."""
        groups = np.where(self.kept.groups < 0, NO_GROUP, self.kept.groups)[self.of_map]
        return SharedJson(
            count=len(self.of_map),
            ids=packed(self.kept.ids[self.of_map], np.uint8),
            places=packed(self.places, np.float32),
            groups=packed(groups, np.uint8),
            named=self.groups,
            sources=self.marks.sources,
            source=packed(self.marks.source[self.of_marks], np.uint16),
        )

    @property
    def token(self) -> str:
        """Of these items at these places: another one says that there is something new."""
        return f"{self.kept.token}-{self.marks.at[0]}-{self.marks.at[1]}"


def packed(values: np.ndarray, kind: type[np.generic]) -> str:
    """Numbers as the bytes of little-endian ones, in base64."""
    return b64encode(np.ascontiguousarray(values, np.dtype(kind).newbyteorder("<")).tobytes()).decode()


class MapService:
    """The maps of an open workspace."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._ws = context.ws
        self._shown: dict[tuple[str, str], ShownMap] = {}  # by task and version, the latest
        self._points = SharedParts(HELD)
        self._lock = threading.Lock()

    def look(
        self, task: str, version: str, again: bool = False, wait: bool = False
    ) -> tuple[str, Standing, int]:
        """The version whose map it is, where it stands, and how many items it should hold; what lacks of it
        is made behind the page.

        Args:
            task: whose items.
            version: whose map; empty: that of the active one.
            again: also where somebody stopped it, or it failed.
            wait: whether it is made at once, as for a command.

        Raises:
            UserError: there is no such version, or its map is not for whoever asks to have made.
        """
        known = check_task(task)
        which = self._context.version_of(known, version or None)
        count = self._ws.items.count(modality_of(known).name)
        wanted = count > 0 and self._maps.is_wanted(known, which, count, again)
        if wanted and wait:
            self._maps.make(known, which)
        elif wanted and self._may_begin(known, which):
            self._maps.begin(known, which)
        standing = self._maps.standing(known, which)
        begun = standing.map is not None or standing.working or bool(standing.error)
        if count and not begun and not self._may_begin(known, which):
            raise UserError(f"The map of {which} is not made yet.", "A trainer's look at it has it made.")
        return which, standing, count

    def stop(self, task: str, version: str) -> None:
        """Ask that the map is not made any further.

        Raises:
            AccessError: somebody else began it.
        """
        known = check_task(task)
        self._maps.stop(known, self._context.version_of(known, version or None))

    def shown(self, task: str, kept: KeptMap) -> ShownMap:
        """What of a map answers may show now."""
        with self._lock:  # those who ask meanwhile wait for it, instead of doing the same
            return self._shown_now(task, kept)

    def _shown_now(self, task: str, kept: KeptMap) -> ShownMap:
        marks = self._ws.facets.marks(modality_of(check_task(task)).name, task)
        key = task, kept.version
        before = self._shown.get(key)
        if before is not None and before.kept is kept and before.marks.at == marks.at:
            return before
        if before is not None and before.kept is kept and before.marks.ids is marks.ids:
            rows, there = before.of_map, before.of_marks  # answers alone have changed
        else:
            rows = kept.rows(marks.ids)
            there = np.flatnonzero(rows >= 0)
            there = there[np.argsort(rows[there], kind="stable")]
            rows = rows[there]
        found = ShownMap(kept, marks, rows, there)
        put_newest(self._shown, key, found, HELD)
        return found

    def points(self, task: str, shown: ShownMap) -> SharedJson:
        """What the page draws of it: the same for whoever asks."""
        return self._points.part(f"{task} {shown.token}", shown.points)

    def scores(self, task: str, version: str, text: str, ids: list[str]) -> Scores:
        """How well items fit a text, by a version.

        Raises:
            UserError: there is no text, no such version, or it has not read the collection yet.
        """
        from mmdemo.retrieval.maps.scores import scores_of

        if not text.strip():
            raise UserError("There is no text to look for.", "Write some words.")
        known = check_task(task)
        searcher = searcher_by(self._context, known, version)
        return scores_of(self._ws, searcher, self._aligner(known, version), text, ids)

    def near(
        self, task: str, version: str, items: Sequence[str], among: list[str], count: int
    ) -> list[dict[str, Any]]:
        """The items nearest to the middle of some others, best first."""
        from mmdemo.retrieval.maps.scores import nearest_to

        known = check_task(task)
        searcher_by(self._context, known, version)
        found = nearest_to(self._ws, self._aligner(known, version), items, among, count)
        return [{"item": item, "similarity": round(near, 4)} for item, near in found]

    def told(self, task: str, ids: Sequence[str], text: str = "") -> list[dict[str, Any]]:
        """What a list says of items that answers may show, in the order given: the label is that on the text,
        or without one on the item's own.
        """
        from mmdemo.retrieval.results import shown_with

        known = check_task(task)
        items = self._ws.items.of(list(ids))
        shown = [i for i in dict.fromkeys(ids) if i in items and items[i].listed and not items[i].hidden]
        pairs = self._ws.pairs.of_items(known, shown)
        found = []
        for item in shown:
            own, said = shown_with(pairs[item], text_key(text) if text.strip() else "")
            label = {"verdict": said.verdict if said else None, "label": said.label if said else None}
            found.append({"item": item, "name": items[item].name, "text": own, **label})
        return found

    @property
    def _maps(self) -> Maps:
        def make() -> Maps:
            from mmdemo.retrieval.maps.keeper import Maps

            return Maps(self._ws, self._read_by)

        return cast("Maps", self._context.once("maps", make))

    def _may_begin(self, task: Task, version: str) -> bool:
        """Everybody has the active version's map made, which is one; others' are for who may keep the machine
        busy.
        """
        return version == self._ws.versions.active(task) or current().may(TRUSTED_WITH_TIME)

    def _aligner(self, task: Task, version: str) -> HeadAligner:
        if not version:
            return self._context.keeper_of(task).serving().aligner
        return self._context.models.aligner(task, version)

    def _read_by(self, task: Task, version: str, stopped: Callable[[], bool]) -> HeadAligner:
        """The aligner of a version, once there are vectors of what can be read by now."""
        from mmdemo.retrieval.embed import project_items

        if version == self._ws.versions.active(task):
            keeper = self._context.keeper_of(task)
            keeper.serving()
            while not keeper.wait(LOOKS_S) and not stopped():
                continue
        else:
            searcher_by(self._context, task, version)
        aligner = self._context.models.aligner(task, version)
        project_items(self._ws, aligner, self._ws.items.ids(modality_of(task).name))
        return aligner
