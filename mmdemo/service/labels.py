"""What can be done with labels: hand out a pair, record, take back, count."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mmdemo.asker import current
from mmdemo.errors import UserError
from mmdemo.label_kinds import LABEL_KINDS
from mmdemo.modality import modality_of
from mmdemo.service.context import Context, check_source, check_task
from mmdemo.service.media import Media
from mmdemo.store.labels import ELSEWHERE, NewLabel, Sender
from mmdemo.store.leases import Screen
from mmdemo.store.pairs import NewPair, PairView, check_span, removed_pair
from mmdemo.store.texts import short_id

if TYPE_CHECKING:
    from mmdemo.labeling.side_counts import SideCounts

ALL_DONE = "Every pair has its label. Import more in the Data tab."
ON_SCREENS = "What is left is on the screens of others. Ask again in a minute."
OVER_S = 0.5  # by which a span may end after its file: players and containers round differently
SOON_S = 0.1  # what is counted so soon is counted at every change
COUNTING_SHARE = 0.1  # of all time, at most, goes to counting sides that take longer


@dataclass(frozen=True)
class KnownSides:
    """How many labels a run would have taken on each side when they were counted."""

    at: tuple[int, int, int]  # labels ever made, pairs, and the latest change
    counts: SideCounts
    again_s: float  # not to be counted again before this time


class Labels:
    """The labels of an open workspace."""

    def __init__(self, context: Context, media: Media) -> None:
        self._context = context
        self._media = media
        self._ws = context.ws
        self._following = threading.Lock()

    def next_pair(
        self, task: str, batch: str = "", annotator: str = "", mismatches: bool = False
    ) -> dict[str, Any]:
        """The JSON of `/next_pair`: each call gets a pair that nobody else has before them.

        Raises:
            UserError: there is no such task, or nothing comes from that batch.
        """
        found = self.next_pairs(task, 1, "", annotator, batch, mismatches=mismatches)
        if found["pairs"]:
            return dict(found["pairs"][0])
        return {"pair": None, "reason": ON_SCREENS if found["lent"] else ALL_DONE}

    def next_pairs(
        self,
        task: str,
        count: int,
        screen: str = "",
        annotator: str = "",
        batch: str = "",
        passed: Collection[int] = (),
        held: Collection[int] = (),
        *,
        mismatches: bool = False,
    ) -> dict[str, Any]:
        """The next pairs for one screen, which are kept from others for a while if its person may label; see
        `PairQueue.ask`.

        Returns:
            {"pairs": [...], "lost": pairs that it had and is not to ask any more, "lent": whether others have
            before them what is left}.

        Raises:
            UserError: there is no such task, or nothing comes from that batch.
        """
        check_source(self._ws, task, batch)
        asker = current()
        queue = self._context.queue_of(check_task(task))
        where = Screen.of(screen, annotator, asker.maker) if asker.may("annotator") else None
        again = bool(screen and (annotator or asker.maker))
        wanted = self._ws.asked_later.waiting(task, asker) if where is not None else []
        how: dict[str, bool] = {"mismatches": mismatches, "again": again}
        asked = queue.ask(count, where, batch, passed, held, wanted=wanted, **how)
        return {"pairs": [pair_json(*one) for one in asked.pairs], "lost": asked.lost, "lent": asked.lent}

    def leave(self, screen: str) -> None:
        """Let others have what is on a screen that is closed."""
        if screen and current().may("annotator"):
            self._ws.leases.leave(Screen.of(screen, "", current().maker))

    def ask_later(self, items: Sequence[str], texts: Sequence[str]) -> tuple[list[int], int]:
        """Let whoever asks be asked about some items, each with its text; returns the pairs, and how many
        others have a label already.

        Raises:
            UserError: no such item, items of several tasks, or not a text for each.
        """
        if not items or len(items) != len(texts):
            raise UserError(f"{len(items)} items and {len(texts)} texts.", "Send a text with each item.")
        known = [self._media.item(item) for item in items]
        task = self._media.task_of(known[0])
        if any(self._media.task_of(item) != task for item in known):
            raise UserError("The items are of several kinds.", "Send those of one.")
        pairs = [NewPair(item.id, text, "search") for item, text in zip(known, texts, strict=True)]
        with ExitStack() as files:
            for item in known:
                files.enter_context(self._ws.scratch.keeping(item)) if not item.listed else None
            kept = self._ws.asked_later.keep(task, pairs, current())
        self._context.queue_of(task).request()
        return kept

    def add(self, pair: int, label: NewLabel, task: str = "", item: str = "") -> dict[str, Any]:
        """Record a label; the answer comes once it is on disk, and is the same when it comes again.

        Args:
            pair: its number.
            label: what is said of it.
            task: of the pair, where the sender knows; empty: whichever it is.
            item: of the pair, where the sender knows: what waited in a browser may meet another workspace.

        Raises:
            UserError: no such pair in that task or of that item, no such version, or a span that the pair
                cannot have.
        """
        view = self._ws.pairs.get(pair)
        if view is None or (task and view.task != task):
            raise UserError(f"There is no pair {pair}{f' in {task}' if task else ''}.", ELSEWHERE)
        if view.removed and not self._was_sent(label):
            raise removed_pair(pair)
        if item and view.item != item:
            raise UserError(f"The pair {pair} is not of the item {short_id(item)}.", ELSEWHERE)
        if not self._was_sent(label):
            self._check(view, label)
        if label.origin == "label" and label.version_id is None:  # what showed it
            label = replace(label, version_id=self._ws.versions.active(view.task))
        label_id = self._ws.labels.add(pair, label)
        self._follow(pair)
        return {"label": label_id, "saved": "disk", "pair": pair}

    def _was_sent(self, label: NewLabel) -> bool:
        """Whether it came before: what it names may have gone since, and the answer is still the same."""
        return label.key is not None and self._ws.labels.sent_as(label.key) is not None

    def _check(self, view: PairView, label: NewLabel) -> None:
        self._check_version(label.version_id)
        check_span_of(view.task, view.duration_s, label.start_s, label.end_s)
        if label.start_s is not None or label.end_s is not None:
            start = view.start_s if label.start_s is None else label.start_s
            check_span(start, view.end_s if label.end_s is None else label.end_s)

    def _check_version(self, version: str | None) -> None:
        if version is not None and not self._ws.versions.was_there(version):
            raise UserError(
                f"There is no version {version[:60]!r}.", "Leave it out, or name one that there is."
            )

    def _follow(self, pair: int) -> None:
        """Let the queue follow what is in force on a pair: what comes again changes nothing in it."""
        with self._following:  # who read what is in force before another label would tell of it after
            view = self._ws.pairs.get(pair)
            if view is None:  # a backup without it has been restored since
                return
            queue = self._context.queue_of(view.task)
            if view.verdict is None:
                queue.returned(pair)
            elif view.verdict in LABEL_KINDS:  # else of a package that is gone: nobody is asked about it
                queue.labelled(pair, view.verdict)

    def add_on(
        self,
        item: str,
        text: str,
        label: NewLabel,
        start_s: float | None = None,
        end_s: float | None = None,
    ) -> dict[str, Any]:
        """Record a label on an item with any text, such as a search result with the query.

        Raises:
            UserError: no such item or version, or a span that the item cannot have.
        """
        known = self._media.item(item)
        task = self._media.task_of(known)
        if not self._was_sent(label):
            self._check_version(label.version_id)
            check_span_of(task, known.duration_s, start_s, end_s)
            check_span_of(task, known.duration_s, label.start_s, label.end_s)
        with self._ws.scratch.keeping(known):
            label_id, pair = self._ws.labels.add_on(
                task, item, text, label, source=label.origin, start_s=start_s, end_s=end_s
            )
        self._follow(pair)
        if not known.listed:
            self._context.keeper_of(task).request()
        return {"label": label_id, "saved": "disk", "pair": pair}

    def undo(
        self, label: int, annotator: str = "", key: str | None = None, *, again: bool = False
    ) -> dict[str, Any]:
        """Take a label back: whoever asks their own, the owner any.

        Args:
            label: its number.
            annotator: who takes it back.
            key: the sender's; what comes again with its key is one undo.
            again: whether a label that is taken back already is no mistake.

        Raises:
            UserError: no such label, or it is somebody else's or taken back already.
        """
        asker = current()
        whose = None if asker.may("owner") else _sender()
        who: dict[str, Any] = {"sender": asker.maker, "own_name": asker.says_name, "whose": whose}
        undo, pair = self._ws.labels.undo(label, annotator, key, again=again, **who)
        self._follow(pair)
        return {"label": undo, "pair": pair}

    def take_back(
        self, label: int | None, of: str = "", annotator: str = "", key: str | None = None
    ) -> dict[str, Any]:
        """Take back a label that was sent with a key, or that has a number, so that it is taken back
        afterwards, whatever came before: one that never arrived, or is taken back already, needs nothing.

        Raises:
            UserError: it is somebody else's.
        """
        sent = self._ws.labels.sent_as(of)
        number = sent.id if sent is not None else None if of else label
        if number is None:
            return {"label": None, "undone": None, "pair": None}
        return {"undone": number} | self.undo(number, annotator, key, again=True)

    def last(self, task: str, name: str, count: int) -> list[dict[str, Any]]:
        """The last labels on pairs of the queue of whoever asks that nobody has taken back, newest first.

        Args:
            task: of the pairs.
            name: what they call themselves, which only the owner is believed: nothing of others is told.
            count: at most so many.
        """
        labels = self._ws.labels.last_of(check_task(task), "label", _sender(name), count)
        pairs = {view.id: view for view in self._ws.pairs.views([label.pair_id for label in labels])}
        return [
            {
                "label": label.id,
                "key": label.key,
                "verdict": label.verdict,
                "pair": pair_json(pairs[label.pair_id]),
            }
            for label in labels
            if label.pair_id in pairs  # else a backup without it has been restored since
        ]

    def counts(self, task: str) -> dict[str, int]:
        """The JSON of `/label_counts`."""
        return self._counted(task)[0]

    def progress(self, task: str) -> dict[str, Any]:
        """The counts, and how far it is to a first fine-tune."""
        counts, sides = self._counted(task)
        return {"counts": counts, "goal": sides.goal}

    def _counted(self, task: str) -> tuple[dict[str, int], SideCounts]:
        check_task(task)
        counts = self._ws.labels.counts(task)
        at = self._ws.labels.total(task), counts.pairs, self._ws.changes.latest()
        sides = self._sides_of(task, at)
        return counts.as_json(sides.totals), sides

    def _sides_of(self, task: str, at: tuple[int, int, int]) -> SideCounts:
        """How many labels a run would take on each side now; where that takes long to count and `at` changes
        all the time, as when many label, how many it would have taken a moment ago.
        """
        from mmdemo.labeling.side_counts import count_sides
        from mmdemo.labeling.snapshot import take_snapshot

        sides: dict[str, KnownSides] = self._context.counted_sides
        known, begun = sides.get(task), time.perf_counter()
        if known is None or (known.at != at and begun >= known.again_s):
            counts = count_sides(take_snapshot(self._ws, task))
            took = time.perf_counter() - begun
            again_s = begun + (0 if took < SOON_S else took / COUNTING_SHARE)
            known = sides[task] = KnownSides(at, counts, again_s)
        return known.counts


def _sender(name: str = "") -> Sender:
    """Whoever asks, as the log knows them; `name` is what they call themselves."""
    asker = current()
    if asker.name:
        return Sender(asker.name, signed_in=True)
    if asker.may("owner"):
        return Sender(name, asker.mark)
    return Sender(session=asker.maker or "")  # of nobody, where there is no session either


def check_span_of(task: str, duration_s: float | None, start_s: float | None, end_s: float | None) -> None:
    """Refuse a span of what has no time, or beyond its end.

    Raises:
        UserError: it is one.
    """
    if start_s is None and end_s is None:
        return
    noun = modality_of(task).noun
    if duration_s is None:
        raise UserError(f"A {noun} has no span in seconds.", "Leave start and end out.")
    last = max(start_s or 0.0, end_s or 0.0)
    if last > duration_s + OVER_S or (start_s or 0.0) >= duration_s > 0:
        raise UserError(
            f"The span reaches to {last:g} s, and the {noun} ends at {duration_s:g} s.",
            "Give start and end within it.",
        )


def pair_json(pair: PairView, why: str = "") -> dict[str, Any]:
    """A pair as the API hands it out."""
    return {
        "pair": pair.id,
        "item": pair.item,
        "text": pair.text,
        "file": f"mmdemo/media/{pair.item}",
        "task": pair.task,
        "duration": pair.duration_s,
        "start": pair.start_s,
        "end": pair.end_s,
        "split": pair.split,
        "why": why,
    }
