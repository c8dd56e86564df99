"""What can be done with what is in the collection: remove it, hide it, show it again, edit it."""

from __future__ import annotations

import logging
from typing import Any

from mmdemo.asker import current
from mmdemo.errors import DataError, OutsideError, StorageError, UserError
from mmdemo.modality import MODALITIES
from mmdemo.service.context import Context, check_task
from mmdemo.service.labels import check_span_of
from mmdemo.store.changes import REMOVE, Amount, Target

log = logging.getLogger(__name__)


class Curation:
    """Changes of the collection of an open workspace."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._ws = context.ws

    def imports(self, task: str, limit: int, offset: int = 0) -> list[dict[str, Any]]:
        """The imports of a task of which something is left, the newest first."""
        return [one.as_json() for one in self._ws.imports.listed(check_task(task), limit, offset)]

    def changes(self, count: int) -> list[dict[str, Any]]:
        """The newest changes, the last one first."""
        return [one.as_json() for one in self._ws.changes.last(count)]

    def make(self, action: str, target: Target, dry_run: bool) -> dict[str, Any]:
        """Remove, hide or show; the answer tells how much it was, or would be.

        Raises:
            UserError: nothing is named, something that is named is not there, or a run learns from it.
        """
        if not (target.items or target.pairs or target.import_id):
            raise UserError("Nothing is named.", "Name items, pairs or an import.")
        if action == REMOVE:
            self._require_no_run(target)
        if dry_run:
            return _told(self._ws.changes.amount(action, target), 0, True)
        change, amount = self._ws.changes.make(action, target, current().name)
        done = self._finish() if action == REMOVE else True
        if change:
            self._follow()
        return _told(amount, change, done)

    def edit_item(self, item: str, name: str, source: str) -> dict[str, Any]:
        """Give an item another name or source; what is empty stays as it is.

        Raises:
            UserError: there is no such item in the collection, or a name that cannot be used.
        """
        if not name.strip() and not source.strip():
            raise UserError("Nothing is to be changed.", "Send a name or a source.")
        edited = self._ws.changes.edit_item(item, name, source, current().name)
        return {"item": edited.id, "name": edited.name, "source": edited.source}

    def edit_pair(
        self, pair: int, text: str, start_s: float | None, end_s: float | None, whole: bool
    ) -> dict[str, Any]:
        """Give a pair another text or span; see `ChangeLog.edit_pair`.

        Args:
            pair: its number.
            text: the new one; empty: it stays.
            start_s: of the new span; None: it stays.
            end_s: the same.
            whole: whether it is about the whole file from now on.

        Raises:
            UserError: there is no such pair, a text or span that cannot be used, or a run learns from it.
        """
        known = self._ws.pairs.get(pair)
        if known is None or known.removed:
            raise UserError(f"There is no pair {pair}.", "Choose another one.")
        check_span_of(known.task, known.duration_s, start_s, end_s)
        self._require_no_run(Target(pairs=(pair,)))
        made, labels = self._ws.changes.edit_pair(pair, text, start_s, end_s, whole, current().name)
        self._finish()
        self._follow()
        view = self._ws.pairs.get(made)
        assert view is not None  # pairs stay
        return {
            "pair": made,
            "was": pair,
            "text": view.text,
            "start": view.start_s,
            "end": view.end_s,
            "split": view.split,
            "labels": labels,
        }

    def _require_no_run(self, target: Target) -> None:
        """Refuse to take away what a run learns from.

        Raises:
            UserError: which run.
        """
        from mmdemo.labeling.snapshot import Snapshot

        going: set[int] | None = None
        for run in self._ws.runs.unfinished():
            try:
                snapshot = Snapshot.load(self._ws.run_folder(run.id) / "snapshot.json")
            except (OSError, StorageError, OutsideError):  # then it learns from nothing
                continue
            going = self._ws.changes.pairs_of(target) if going is None else going
            if any(example.pair in going for example in snapshot.examples):
                raise DataError(f"The run {run.id} learns from it.", "Stop it, or wait until it is done.")

    def _finish(self) -> bool:
        """Delete the files of what was removed; whether all are gone. The rest goes later by itself."""
        try:
            return self._ws.removals.finish()
        except StorageError as e:
            log.error("what was removed is not gone from the disk yet: %s", e)
            return False

    def _follow(self) -> None:
        """Indices and queues follow behind the page; what is asked meanwhile knows of the change."""
        for modality in list(MODALITIES.values()):
            self._context.data_changed(modality.task)


def _told(amount: Amount, change: int, done: bool) -> dict[str, Any]:
    return {**vars(amount), "change": change, "done": done}
