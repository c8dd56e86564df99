"""Files that somebody brought to look at: each is of a session for a while, and found by nobody else.

They lie beside the collection, in `scratch/`, and go with everything that was made of them when their time
since the last use is over. A label on one, or somebody who adds it, takes it into the collection. The same
bytes that two sessions brought are one file, which goes with the last of them.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.orm import Session

from mmdemo.asker import Asker, Role, current
from mmdemo.bounds import Quota, quota_of
from mmdemo.errors import BusyError, OutsideError, StorageError, UserError
from mmdemo.media.listing import entries, files_below
from mmdemo.settings import Settings
from mmdemo.store.database import Database, in_parts
from mmdemo.store.items import read_as_more
from mmdemo.store.media_store import MediaStore
from mmdemo.store.tables import Item, Pair, Scratch, SearchableText, Transcript, now

VISITORS_S = 3600.0  # since the last use, what a visitor brought is kept
OTHERS_S = 24 * 3600.0
USED_AGAIN_S = 60.0  # a use so soon after the last one is not noted
# How the quota of an invited person begins in the database; that of a visitor is a SHA-256, without a mark.
MARKS: dict[Role, str] = {"annotator": "n", "trainer": "t"}
OF_ITEM = re.compile("[0-9a-f]{64}")  # how the name of its folder and its own begin
REST_OF_ID = 62  # characters of the name of a file of an item, in a folder of the first two
SALT = secrets.token_bytes(16)  # of this process


class ScratchArea:
    """Files beside the collection of an open workspace.

    Args:
        database: which knows whose they are.
        files: where they are.
        kept: the media of the collection.
        settings: how much visitors may bring.
    """

    def __init__(self, database: Database, files: MediaStore, kept: MediaStore, settings: Settings) -> None:
        self._database = database
        self._files = files
        self._kept = kept
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
            _require_small(item, quota)
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
        of_quota = _counted_with(asker) if quota is not None else ""
        with self._database.write() as session:
            listed = bool(session.scalar(select(Item.listed).where(Item.id == item.id)))
            gone = _make_room(session, item, of_quota, quota) if quota is not None and not listed else []
            known = session.get(Item, item.id)
            if known is None:
                session.add(item)
                session.flush()
            else:
                read_as_more(known, item)
                known.name = known.name or item.name  # of one that was removed
            if not listed:
                held = Scratch(item_id=item.id, session=_owner(asker), until=_until(asker), quota=of_quota)
                session.merge(held)
            self._unlink_all(gone)
            return listed, (known or item).suffix

    def sees(self, item: Item) -> bool:
        """Whether whoever is asking may know of an item; a use of it is noted where the disk takes that."""
        if item.listed:
            return True
        asker = current()
        key = (item.id, _owner(asker))
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
            quota = "" if role == "owner" else _marked(after, role)
            session.delete(held)
            session.merge(Scratch(item_id=held.item_id, session=after, until=until, quota=quota))

    def sweep(
        self, is_busy: Callable[[str], bool] = lambda item_id: False, at: datetime | None = None
    ) -> list[str]:
        """Remove what nobody has used for its time, with all that was made of it; returns the ids.

        Args:
            is_busy: whether something is being made of an item just now: it goes later.
            at: the time, by default now.
        """
        query = select(Scratch.item_id, Scratch.session).where(Scratch.until < (at or now()))
        with self._database.read() as session:
            over = [(item, whose) for item, whose in session.execute(query) if not is_busy(item)]
        return self._remove(over) if over else []

    def remove_strays(self, older_s: float = VISITORS_S) -> None:
        """Remove files here that no row knows, as after a restore; once an hour, or where they need not be
        old, also what was made of items that are gone, as where a process was killed.
        """
        with self._lock:  # a file here comes before its row
            self._remove_unknown(_by_item(self._files.folder, older_s))
        if time.monotonic() >= self._walked_again_s or older_s < 0:
            self._walked_again_s = time.monotonic() + VISITORS_S
            self._remove_unknown(_by_item(self._kept.cache, older_s))

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
                gone += _remove_unheld(session, part)
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
        for path in made_of(self._kept.cache, [item.id for item in gone]) if gone else ():
            with suppress(OSError):
                path.unlink()

    def _unlink_unknown(self, item: Item) -> None:
        """Remove the file of what was refused, unless somebody else has brought it too."""
        with self._database.read() as session:
            if session.get(Item, item.id) is None:
                self._unlink(item)

    def _unlink(self, item: Item) -> None:
        self._files.path(item.id, item.suffix).unlink(missing_ok=True)


def _require_small(item: Item, quota: Quota) -> None:
    """Refuse a file that is larger than all that one may bring.

    Raises:
        UserError: it is.
    """
    if item.bytes > quota.mb * 1_000_000:
        raise UserError(
            f"{item.name} is {item.bytes / 1e6:.0f} MB, over {quota.who}'s limit of {quota.mb} MB.",
            "Make it smaller first.",
        )


def _make_room(session: Session, item: Item, counted_with: str, quota: Quota) -> list[Item]:
    """Let somebody's own oldest files go where they have too many; returns those that are of nobody then.

    Raises:
        BusyError: what all of their role may bring is there even so.
    """
    most, all_most = quota.mb * 1_000_000, quota.all_mb * 1_000_000
    of_quota = (Scratch.quota == counted_with, Scratch.item_id != item.id)
    own = select(Item.id, Item.bytes).join(Scratch, Scratch.item_id == Item.id).where(*of_quota)
    own = own.group_by(Item.id, Item.bytes).order_by(func.max(Scratch.until))
    mine = [(key, size) for key, size in session.execute(own)]
    going: list[str] = []
    while mine and (len(mine) >= quota.files or sum(size for _, size in mine) + item.bytes > most):
        going.append(mine.pop(0)[0])
    gone: list[Item] = []
    for part in in_parts(going):
        session.execute(delete(Scratch).where(*of_quota, Scratch.item_id.in_(part)))
        gone += _remove_unheld(session, part)
    first, marks = func.substr(Scratch.quota, 1, 1), tuple(MARKS.values())
    mark = counted_with[:1]
    of_role = first == mark if mark in marks else first.not_in((*marks, ""))
    theirs = select(Scratch.item_id).where(of_role, Scratch.item_id != item.id)
    taken = select(func.sum(Item.bytes)).where(Item.id.in_(theirs))
    while (session.scalar(taken) or 0) + item.bytes > all_most:
        less = None if mark in marks else _take_from_who_has_most(session, of_role, item)
        if less is None:
            who = quota.who.partition(" ")[2]
            raise BusyError(f"The space for {who}s' files is used up.", "Try again in an hour.")
        gone += less
    return gone


def _take_from_who_has_most(session: Session, of_role: ColumnElement[bool], item: Item) -> list[Item] | None:
    """Let the oldest file go of the visitor who has most here; returns it where it is of nobody then, and
    None where there is none.

    Sessions are free: were visitors refused instead, a few of them would keep all others out for as long as
    they like.
    """
    others = (of_role, Scratch.item_id != item.id)
    held = select(Scratch.quota).join(Item, Item.id == Scratch.item_id).where(*others)
    whose = session.scalar(held.group_by(Scratch.quota).order_by(func.sum(Item.bytes).desc()).limit(1))
    oldest = select(Scratch.item_id).where(*others, Scratch.quota == whose)
    found = session.scalar(oldest.order_by(Scratch.until).limit(1))
    if found is None:
        return None
    session.execute(delete(Scratch).where(Scratch.item_id == found, of_role))
    return _remove_unheld(session, [found])


def _remove_unheld(session: Session, ids: Sequence[str]) -> list[Item]:
    """Remove the rows of items that are neither of the collection nor of a session, but for those of items
    that were removed from it before, to which pairs refer; returns them.
    """
    of_pairs = Item.id.in_(select(Pair.item_id))
    query = select(Item).where(Item.id.in_(ids), ~Item.listed, Item.id.not_in(select(Scratch.item_id)))
    items = list(session.scalars(query.where(~of_pairs | Item.removed_id.is_not(None))))
    gone = [item.id for item in items]
    for table in (Transcript, SearchableText):
        session.execute(delete(table).where(table.item_id.in_(gone)))
    session.execute(delete(Item).where(Item.id.in_(gone), ~of_pairs))
    session.expunge_all()
    return items


def made_of(cache: Path, ids: Iterable[str]) -> Iterator[Path]:
    """The files below a cache that were made of some items, each in a folder of its id's first two letters;
    what cannot be looked into is passed over.
    """
    by_folder: dict[str, set[str]] = {}
    for item_id in ids:
        by_folder.setdefault(item_id[:2], set()).add(item_id[2:])
    yield from _made_below(cache, by_folder)


def _made_below(folder: Path, by_folder: Mapping[str, Set[str]]) -> Iterator[Path]:
    for path in (path for path in entries(folder) if path.is_dir() and not path.is_symlink()):
        if path.name in by_folder:
            names = by_folder[path.name]
            yield from (file for file in entries(path) if file.name[:REST_OF_ID] in names)
        elif not re.fullmatch("[0-9a-f]{2}", path.name):
            yield from _made_below(path, by_folder)


def _by_item(folder: Path, older_s: float) -> dict[str, list[Path]]:
    """The files below a folder that have the name of an item's id and are so old, by that id."""
    found: dict[str, list[Path]] = {}
    bound_s = time.time() - older_s
    for path in files_below(folder):
        if named := OF_ITEM.match(f"{path.parent.name}{path.name}"):
            with suppress(OSError):
                if path.stat().st_mtime < bound_s:
                    found.setdefault(named.group(), []).append(path)
    return found


def _owner(asker: Asker) -> str:
    """Whose a file is: a session's id is a secret, and the database holds none. Without a session the owner
    is at this machine, and whoever else comes so finds nothing again.
    """
    if not asker.session and asker.role == "owner":
        return ""
    return asker.mark or secrets.token_hex(32)


def _counted_with(asker: Asker) -> str:
    """With what somebody's files are counted: those of the session; where none was brought, and each request
    has another, those of the network, whose address nobody reads from the database.
    """
    own = hashlib.sha256(SALT + asker.network.encode()).hexdigest() if asker.network else _owner(asker)
    return _marked(own, asker.role)


def _marked(own: str, role: Role) -> str:
    """A quota with the mark of a role: what all of that role have is summed up by it."""
    mark = MARKS.get(role, "")
    return mark + own[len(mark) :]


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
