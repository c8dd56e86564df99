"""What was removed goes from the disk: files, what was made of them, vectors, transcripts, words.

The change that says so is in the database before (`changes.py`). Files go in the transaction that looks once
more whether their item is still out: whoever imports the same bytes meanwhile comes before it, or writes the
file after it. A change is done when all of it is gone; one that a kill has left goes on at the next start.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from sqlalchemy import String, cast, delete, exists, literal, or_, select, update
from sqlalchemy.orm import Session

from mmdemo.errors import OutsideError
from mmdemo.store.database import Database, in_parts
from mmdemo.store.made_files import MadeFiles
from mmdemo.store.media_store import MediaStore
from mmdemo.store.tables import Change, Item, Label, Pair, Scratch, SearchableText, SourceFile, Transcript
from mmdemo.store.texts import text_id, text_key
from mmdemo.store.vectors import take_out
from mmdemo.store.words import LABEL, PAIR

AT_ONCE = 100  # items or pairs in one transaction: labels do not wait for more
log = logging.getLogger(__name__)
_HAS_LABEL = exists().where(Label.pair_id == Pair.id)


class Removals:
    """The removed of a workspace.

    Args:
        database: which says what was removed.
        files: of the collection.
        made: what was made of items.
        vectors: the folder of what was made of files and texts by models.
    """

    def __init__(self, database: Database, files: MediaStore, made: MadeFiles, vectors: Path) -> None:
        self._database = database
        self._files = files
        self._made = made
        self._vectors = vectors

    def finish(self) -> bool:
        """Remove from the disk what is removed and still there; returns whether all of it could be.

        Raises:
            StorageError: the disk or the database refused.
        """
        with self._database.read() as session:
            waiting = list(session.scalars(select(Change.id).where(~Change.done).order_by(Change.id)))
        return all([self._finish(change) for change in waiting])

    def _finish(self, change: int) -> bool:
        ids = self._item_ids(change)
        take_out(self._vectors, [*ids, *map(text_id, self._texts_of_nobody(change))])
        left = [path for part in in_parts(ids, AT_ONCE) for path in self._remove_items(part)]
        with self._database.read() as session:
            pairs = list(session.scalars(select(Pair.id).where(Pair.removed_id == change)))
        for part in in_parts(pairs, AT_ONCE):
            self._empty_pairs(part)
        if left:
            log.warning("%d removed files could not be deleted, such as %s", len(left), left[0])
            return False
        with self._database.write() as session:
            done = session.get(Change, change)
            if done is not None:
                done.done = True
        return True

    def _item_ids(self, change: int) -> list[str]:
        with self._database.read() as session:
            of_change = select(Item.id).where(Item.removed_id == change)
            return list(session.scalars(of_change.order_by(Item.id)))  # what lies together goes together

    def _texts_of_nobody(self, change: int) -> set[str]:
        """The texts of removed pairs that no label is on, and that no other pair has."""
        own = (Pair.removed_id == change) & ~_HAS_LABEL & (Pair.text != "")
        with self._database.read() as session:
            texts = set(session.scalars(select(Pair.text).where(own)))
            for part in in_parts(sorted(texts)):
                keys = [text_key(text) for text in part]
                others = or_(Pair.removed_id.is_distinct_from(change), _HAS_LABEL)
                texts -= set(session.scalars(select(Pair.text).where(Pair.text_key.in_(keys), others)))
        return texts

    def _remove_items(self, ids: Sequence[str]) -> list[Path]:
        """Remove the files of items that are still out; returns those that could not be deleted."""
        with self._database.write() as session:
            query = select(Item).where(Item.id.in_(ids), Item.removed_id.is_not(None), ~Item.listed)
            items = {item.id: item for item in session.scalars(query)}
            held = set(session.scalars(select(Scratch.item_id).where(Scratch.item_id.in_(items))))
            of_them = Pair.item_id.in_(items)
            paired = set(session.scalars(select(Pair.item_id).where(of_them)))
            labelled = set(session.scalars(select(Pair.item_id).where(of_them, _HAS_LABEL)))
            for table in (Transcript, SearchableText, SourceFile):
                _execute(session, delete(table).where(table.item_id.in_(items)))
            left = _unlinked([*self._files_of(items.values()), *self._made.of(items.keys() - held)])
            for item in items.values():
                if item.id not in labelled | held:
                    item.name = ""
                if item.id not in paired | held:  # somebody looks at a copy of theirs
                    session.delete(item)
        return left

    def _files_of(self, items: Iterable[Item]) -> Iterator[Path]:
        for item in items:
            with suppress(OutsideError):  # then it is no file of ours
                yield self._files.path(item.id, item.suffix)

    def _empty_pairs(self, ids: Sequence[int]) -> None:
        """Let removed pairs be found no longer; of one that no label is on nothing stays but its number."""
        with self._database.write() as session:
            out = Pair.id.in_(ids) & Pair.removed_id.is_not(None)
            numbers = select(cast(Pair.id, String)).where(out)
            of_labels = select(cast(Label.id, String)).join(Pair, Pair.id == Label.pair_id).where(out)
            for kind, refs in ((PAIR, numbers), (LABEL, of_labels)):
                of_kind = SearchableText.kind == kind
                _execute(session, delete(SearchableText).where(of_kind, SearchableText.ref.in_(refs)))
            unnamed = literal("removed-").concat(cast(Pair.id, String))
            empty = {"text": "", "text_key": unnamed, "start_s": None, "end_s": None}
            _execute(session, update(Pair).where(out, ~_HAS_LABEL).values(**empty))


def _execute(session: Session, statement) -> None:  # type: ignore[no-untyped-def]
    session.execute(statement, execution_options={"synchronize_session": False})


def _unlinked(paths: Iterable[Path]) -> list[Path]:
    """Delete files; returns those that are still there."""
    left = []
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError:
            left.append(path)
    return left
