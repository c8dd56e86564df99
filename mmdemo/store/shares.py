"""How much somebody has here of what they brought, with all that was made of it, and what goes where it is
more than their share: their own oldest, and of visitors together the oldest of who has most.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Sequence, Set

from sqlalchemy import ColumnElement, and_, delete, func, select
from sqlalchemy.orm import Session

from mmdemo.asker import ROLES, Asker, Role
from mmdemo.bounds import Quota, quota_of
from mmdemo.errors import BusyError, UserError
from mmdemo.settings import Settings
from mmdemo.store.database import in_parts
from mmdemo.store.tables import Item, Pair, Scratch, SearchableText, Transcript

# How the quota of an invited person begins in the database; that of a visitor is a SHA-256, without a mark.
MARKS: dict[Role, str] = {"annotator": "n", "trainer": "t"}
SALT = secrets.token_bytes(16)  # of this process
TAKEN = Item.bytes + Item.made_bytes


def owner_of(asker: Asker) -> str:
    """Whose a file is: a session's id is a secret, and the database holds none. Without a session the owner
    is at this machine, and whoever else comes so finds nothing again.
    """
    if not asker.session and asker.role == "owner":
        return ""
    return asker.mark or secrets.token_hex(32)


def counted_with(asker: Asker) -> str:
    """With what somebody's files are counted: those of the session; where none was brought, and each request
    has another, those of the network, whose address nobody reads from the database.
    """
    own = hashlib.sha256(SALT + asker.network.encode()).hexdigest() if asker.network else owner_of(asker)
    return marked(own, asker.role)


def counted_beside(asker: Asker, own: str) -> str:
    """With whom all is counted that somebody has: of a visitor a digest of the network, in whatever session;
    sessions are free, and a network that makes many of them loses what it has itself. Others have their own.
    """
    if asker.may("annotator") or not asker.address:
        return own
    return hashlib.sha256(SALT + b"beside" + asker.address.encode()).hexdigest()


def marked(own: str, role: Role) -> str:
    """A quota with the mark of a role: what all of that role have is summed up by it."""
    mark = MARKS.get(role, "")
    return mark + own[len(mark) :]


def require_small(item: Item, quota: Quota) -> None:
    """Refuse a file that is larger than all that one may bring.

    Raises:
        UserError: it is.
    """
    if item.bytes > quota.mb * 1_000_000:
        raise UserError(
            f"{item.name} is {item.bytes / 1e6:.0f} MB, over {quota.who}'s limit of {quota.mb} MB.",
            "Make it smaller first.",
        )


def make_room(session: Session, item: Item, counted: str, quota: Quota) -> list[Item]:
    """Let files go for one that somebody brings; returns those that are of nobody then.

    Args:
        session: a write session.
        item: what they bring.
        counted: with what their files are counted.
        quota: how much they may have.

    Raises:
        BusyError: what all of their role may bring is there even so.
    """
    gone = _let_oldest_go(session, counted, quota, item)
    of_role = _of_role(counted[:1])
    while _taken(session, of_role, item.id) + item.bytes > quota.all_mb * 1_000_000:
        is_visitors = counted[:1] not in MARKS.values()
        less = _take_from_who_has_most(session, of_role, {item.id}) if is_visitors else None
        if less is None:
            who = quota.who.partition(" ")[2]
            raise BusyError(f"The space for {who}s' files is used up.", "Try again in an hour.")
        gone += less
    return gone


def over(session: Session, settings: Settings) -> list[tuple[str, Quota]]:
    """With what the files of those are counted who have more than their share, as by what was made of them
    since; "" where it is all visitors together.
    """
    found: list[tuple[str, Quota]] = []
    for role in ROLES:
        quota = quota_of(Asker(role), settings)
        if quota is None:
            continue
        of_role = _of_role(MARKS.get(role, ""))
        each = select(Scratch.quota).join(Item, Item.id == Scratch.item_id).where(of_role)
        too_much = func.sum(TAKEN) > quota.mb * 1_000_000
        who = session.scalars(each.group_by(Scratch.quota).having(too_much))
        found += [(counted, quota) for counted in who]
        if role not in MARKS and _taken(session, of_role) > quota.all_mb * 1_000_000:
            found.append(("", quota))
    return found


def trim(session: Session, counted: str, quota: Quota, is_busy: Callable[[str], bool]) -> list[Item]:
    """Let the oldest go of what is over a share, but the newest of somebody's own; returns those that are of
    nobody then.

    Args:
        session: a write session.
        counted: as `over` tells it.
        quota: likewise.
        is_busy: whether something is being made of an item just now: it stays.
    """
    if counted:
        return _let_oldest_go(session, counted, quota, stays=is_busy)
    gone: list[Item] = []
    of_role = _of_role("")
    busy = {item for item in session.scalars(select(Scratch.item_id).where(of_role)) if is_busy(item)}
    while _taken(session, of_role) > quota.all_mb * 1_000_000:
        less = _take_from_who_has_most(session, of_role, busy)
        if less is None:
            break
        gone += less
    return gone


def _let_oldest_go(
    session: Session,
    counted: str,
    quota: Quota,
    coming: Item | None = None,
    stays: Callable[[str], bool] = lambda item_id: False,
) -> list[Item]:
    """Let somebody's own oldest files go where they have too much; where none comes their newest stays."""
    of_quota = (Scratch.quota == counted, Scratch.item_id != (coming.id if coming else ""))
    own = select(Item.id, TAKEN).join(Scratch, Scratch.item_id == Item.id).where(*of_quota)
    own = own.group_by(Item.id, Item.bytes, Item.made_bytes).order_by(func.max(Scratch.until))
    mine = [(key, size) for key, size in session.execute(own)]
    count = len(mine) + (coming is not None)
    size = sum(size for _, size in mine) + (coming.bytes if coming else 0)
    going: list[str] = []
    for key, taken in mine if coming else mine[:-1]:
        if count <= quota.files and size <= quota.mb * 1_000_000:
            break
        if not stays(key):
            going.append(key)
            count, size = count - 1, size - taken
    gone: list[Item] = []
    for part in in_parts(going):
        session.execute(delete(Scratch).where(*of_quota, Scratch.item_id.in_(part)))
        gone += remove_unheld(session, part)
    return gone


def _of_role(mark: str) -> ColumnElement[bool]:
    """What all have whose quotas have the mark of a role."""
    first, marks = func.substr(Scratch.quota, 1, 1), tuple(MARKS.values())
    return first == mark if mark in marks else first.not_in((*marks, ""))


def _taken(session: Session, of_role: ColumnElement[bool], but: str = "") -> int:
    """How many bytes all of a role have, each item once."""
    theirs = select(Scratch.item_id).where(of_role, Scratch.item_id != but)
    return session.scalar(select(func.sum(TAKEN)).where(Item.id.in_(theirs))) or 0


def _take_from_who_has_most(
    session: Session, of_role: ColumnElement[bool], stay: Set[str]
) -> list[Item] | None:
    """Let the oldest file go of the visitor who has most here, of those of the network that has most; returns
    it where it is of nobody then, and None where there is none.

    Sessions are free: were visitors refused instead, a few of them would keep all others out for as long as
    they like.
    """
    others = and_(of_role, Scratch.item_id.not_in(stay))
    for counted in (Scratch.network, Scratch.quota):
        held = select(counted).join(Item, Item.id == Scratch.item_id).where(others)
        most = session.scalar(held.group_by(counted).order_by(func.sum(TAKEN).desc()).limit(1))
        others = and_(others, counted == most)
    oldest = select(Scratch.item_id).where(others)
    found = session.scalar(oldest.order_by(Scratch.until).limit(1))
    if found is None:
        return None
    session.execute(delete(Scratch).where(Scratch.item_id == found, others))
    return remove_unheld(session, [found])


def remove_unheld(session: Session, ids: Sequence[str]) -> list[Item]:
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
