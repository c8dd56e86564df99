"""Files that somebody brought to look at: each is of a session for a while, and found by nobody else.

They lie beside the collection, in `scratch/`, and go with everything that was made of them when their time
since the last use is over. A label on one, or somebody who adds it, takes it into the collection. The same
bytes that two sessions brought are one file, which goes with the last of them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from mmdemo.asker import Asker, Role, current
from mmdemo.bounds import Quota, quota_of
from mmdemo.errors import BusyError, OutsideError, StorageError
from mmdemo.settings import Settings
from mmdemo.store.database import Database, in_parts
from mmdemo.store.items import read_as_more
from mmdemo.store.made_files import MadeFiles, by_item
from mmdemo.store.media_store import MediaStore
from mmdemo.store.shares import (
    counted_beside,
    counted_with,
    make_room,
    marked,
    over,
    owner_of,
    remove_unheld,
    require_small,
    trim,
)
from mmdemo.store.tables import Item, Scratch, now

VISITORS_S = 3600.0  # since the last use, what a visitor brought is kept
OTHERS_S = 24 * 3600.0
USED_AGAIN_S = 60.0  # a use so soon after the last one is not noted


class ScratchArea:
    """Files beside the collection of an open workspace.

    Args:
        database: which knows whose they are.
        files: where they are.
        kept: the media of the collection.
        made: what was made of items.
        settings: how much visitors may bring.
    """

    def __init__(
        self, database: Database, files: MediaStore, kept: MediaStore, made: MadeFiles, settings: Settings
    ) -> None:
        self._database = database
        self._files = files
        self._kept = kept
        self._made = made
        self._settings = settings
        self._lock = threading.Lock()  # a file is not swept away between its writing and its row
        self._walked_again_s = 0.0  # of the monotonic clock: when the cache is looked through again

    def path(self, item: Item) -> Path:
        """Where a file is: in the collection, unless it is only here."""
        kept = self._kept.path(item.id, item.suffix)
        here = self._files.path(item.id, item.suffix)
        return here if not kept.is_file() and here.is_file() else kept

    def put(self, item: Item, data: bytes | Path) -> Item:
        """Take a file in for whoever is asking; one that is in the collection already stays there.

        Raises:
            UserError: it is larger than all that they may bring.
            BusyError: what all of their role may bring is there.
            StorageError: the disk refused.
        """
        asker = current()
        quota = quota_of(asker, self._settings)
        if quota is not None:
            require_small(item, quota)
            self._measure()
        self._files.add(item.id, data, item.suffix, item.name)
        with self._lock:
            try:
                listed, suffix = self._hold(item, asker, quota)
            except BusyError:
                self._unlink_unknown(item)
                raise
            if listed:
                self._unlink(item)
            else:  # again, where it was swept away since
                self._files.add(item.id, data, suffix, item.name)
        with self._database.read() as session:
            return session.get(Item, item.id) or item

    def _hold(self, item: Item, asker: Asker, quota: Quota | None) -> tuple[bool, str]:
        """Note whose a file is, once there is room for it; whether it is in the collection, and its suffix.

        Raises:
            BusyError: what all of their role may bring is there.
        """
        of_quota = counted_with(asker) if quota is not None else ""
        with self._database.write() as session:
            listed = bool(session.scalar(select(Item.listed).where(Item.id == item.id)))
            gone = make_room(session, item, of_quota, quota) if quota is not None and not listed else []
            known = session.get(Item, item.id)
            if known is None:
                session.add(item)
                session.flush()
            else:
                read_as_more(known, item)
                known.name = known.name or item.name  # of one that was removed
            if not listed:
                held = Scratch(item_id=item.id, session=owner_of(asker), until=_until(asker), quota=of_quota)
                held.network = counted_beside(asker, of_quota)
                session.merge(held)
            self._unlink_all(gone)
            return listed, (known or item).suffix

    def sees(self, item: Item) -> bool:
        """Whether whoever is asking may know of an item; a use of it is noted where the disk takes that."""
        if item.listed:
            return True
        asker = current()
        key = (item.id, owner_of(asker))
        with self._database.read() as session:
            held = session.get(Scratch, key)
        if held is None:
            return False
        until = _until(asker)
        if until - held.until > timedelta(seconds=USED_AGAIN_S):
            # On a full disk it is looked at all the same, and goes when its time is over.
            with suppress(StorageError), self._database.write() as session:
                again = session.get(Scratch, key)
                if again is not None:
                    again.until = until
        return True

    @contextmanager
    def keeping(self, item: Item) -> Iterator[None]:
        """What makes an item part of the collection within this block has its file there; afterwards it is
        of no session any more.
        """
        here = self._files.path(item.id, item.suffix)
        if not item.listed and here.is_file():
            self._kept.add(item.id, here, item.suffix, item.name)
        yield
        self.forget(item)

    def forget(self, item: Item) -> None:
        """An item of the collection is of no session."""
        with self._lock:
            with self._database.write() as session:
                known = session.get(Item, item.id)
                if known is None or not known.listed:
                    return
                session.execute(delete(Scratch).where(Scratch.item_id == item.id))
            if self._kept.path(item.id, item.suffix).is_file():
                self._unlink(item)

    def hand_over_in(self, session: Session, before: str, after: str, role: Role) -> None:
        """What a session holds is of another one of the same person from now on, within a write session.

        Args:
            session: of the database.
            before: the digest of the one that ends.
            after: of the one that begins.
            role: what they may do from now on.
        """
        for held in list(session.scalars(select(Scratch).where(Scratch.session == before))):
            known = session.get(Scratch, (held.item_id, after))
            until = max(held.until, known.until) if known is not None else held.until
            quota = "" if role == "owner" else marked(after, role)
            session.delete(held)
            moved = Scratch(item_id=held.item_id, session=after, until=until, quota=quota)
            moved.network = held.network if role == "viewer" else quota
            session.merge(moved)

    def sweep(
        self, is_busy: Callable[[str], bool] = lambda item_id: False, at: datetime | None = None
    ) -> list[str]:
        """Remove what nobody has used for its time, and the oldest of who has more than their share by what
        was made since, with all that was made of it; returns the ids.

        Args:
            is_busy: whether something is being made of an item just now: it goes later.
            at: the time, by default now.
        """
        query = select(Scratch.item_id, Scratch.session).where(Scratch.until < (at or now()))
        with self._database.read() as session:
            done = [(item, whose) for item, whose in session.execute(query) if not is_busy(item)]
        return (self._remove(done) if done else []) + self._trim(is_busy)

    def _trim(self, is_busy: Callable[[str], bool]) -> list[str]:
        """Remove what is over somebody's share by what was made since; returns the ids."""
        self._measure()
        with self._database.read() as session:
            too_much = over(session, self._settings)
        if not too_much:
            return []
        with self._lock, self._database.write() as session:
            gone = [item for one in too_much for item in trim(session, *one, is_busy)]
            self._unlink_all(gone)
        return [item.id for item in gone]

    def _measure(self) -> None:
        """Note how much was made of what somebody looks at, where that is another since."""
        noted = self._made.noted()
        try:
            with self._database.read() as session:
                parts = [select(Item.id).where(Item.id.in_(p), ~Item.listed) for p in in_parts(sorted(noted))]
                sizes = self._made.bytes_of([item for part in parts for item in session.scalars(part)])
            if sizes:
                with self._database.write() as session:
                    for item_id, size in sizes.items():
                        session.execute(update(Item).where(Item.id == item_id).values(made_bytes=size))
        except StorageError:
            self._made.note(*noted)
            raise

    def remove_strays(self, older_s: float = VISITORS_S) -> None:
        """Remove files here that no row knows, as after a restore; once an hour, or where they need not be
        old, also what was made of items that are gone, as where a process was killed.
        """
        with self._lock:  # a file here comes before its row
            self._remove_unknown(by_item(self._files.folder, older_s))
        if time.monotonic() >= self._walked_again_s or older_s < 0:
            self._walked_again_s = time.monotonic() + VISITORS_S
            self._remove_unknown(by_item(self._made.folder, older_s))

    def _remove_unknown(self, files: Mapping[str, Sequence[Path]]) -> None:
        """Remove the files of ids that no row knows."""
        for part in in_parts(list(files)):
            with self._database.read() as session:
                there = Item.removed_id.is_(None) | Item.id.in_(select(Scratch.item_id))
                known = set(session.scalars(select(Item.id).where(Item.id.in_(part), there)))
            for path in (path for item in part if item not in known for path in files[item]):
                with suppress(OSError):
                    path.unlink()

    def _remove(self, rows: Sequence[tuple[str, str]]) -> list[str]:
        """Take files from sessions; those that are of none any more, and not of the collection, go."""
        gone: list[Item] = []
        with self._lock, self._database.write() as session:
            for item_id, whose in rows:
                key = (Scratch.item_id == item_id, Scratch.session == whose)
                session.execute(delete(Scratch).where(*key))
            for part in in_parts(sorted({item_id for item_id, _ in rows})):
                gone += remove_unheld(session, part)
            self._unlink_all(gone)
        return [item.id for item in gone]

    def _unlink_all(self, gone: Sequence[Item]) -> None:
        """Remove the files of items and all that was made of them.

        The transaction that removes their rows is open yet: whoever adds the same bytes does so afterwards,
        and finds no file; and after a kill the rows are still there, and go the next time.
        """
        for item in gone:
            for files in (self._files, self._kept):
                with suppress(OSError, OutsideError):
                    files.path(item.id, item.suffix).unlink()
        for path in self._made.of(item.id for item in gone):
            with suppress(OSError):
                path.unlink()

    def _unlink_unknown(self, item: Item) -> None:
        """Remove the file of what was refused, unless somebody else has brought it too."""
        with self._database.read() as session:
            if session.get(Item, item.id) is None:
                self._unlink(item)

    def _unlink(self, item: Item) -> None:
        self._files.path(item.id, item.suffix).unlink(missing_ok=True)


def kept_s(asker: Asker) -> float:
    """How long after its last use what somebody brought is kept."""
    return OTHERS_S if asker.may("annotator") else VISITORS_S


def _until(asker: Asker) -> datetime:
    return now() + timedelta(seconds=kept_s(asker))


# What a copy of the database must not hold, for SQLite: what somebody looks at, and who is signed in.
WITHOUT_SCRATCH = """
PRAGMA secure_delete = ON;
CREATE TEMP TABLE strangers AS
    SELECT id FROM items WHERE NOT listed AND id NOT IN (SELECT item_id FROM pairs);
DELETE FROM scratch;
DELETE FROM transcripts WHERE item_id IN (SELECT id FROM items WHERE NOT listed);
DELETE FROM searchable_texts WHERE item_id IN (SELECT id FROM items WHERE NOT listed);
DELETE FROM items WHERE id IN (SELECT id FROM strangers);
DROP TABLE strangers;
DELETE FROM sessions;
"""
