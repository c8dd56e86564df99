"""The label log: every word of every annotator, only ever added to.

A pair's label in force stands for what most people say of it (see answers.py); `pairs.label_id` points at it
and is set in the transaction that adds a label, so counting and queueing need not read the log.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.orm import Session, aliased

from mmdemo.errors import UserError
from mmdemo.label_kinds import BUILT_IN, LABEL_KINDS, UNDO, names_of
from mmdemo.store.answers import WHOSE, label_in_force, person_of
from mmdemo.store.database import Database, in_parts
from mmdemo.store.leases import end_in
from mmdemo.store.names import say_in
from mmdemo.store.pairs import PairStore, check_span, removed_pair
from mmdemo.store.tables import Label, Pair
from mmdemo.store.texts import clean_text
from mmdemo.store.words import LABEL, add_in

ELSEWHERE = "Check the number, and that it is of this workspace."
MAX_KEY = 64  # characters; SQLite would take more, PostgreSQL not
MAX_NAME = 120  # characters of an annotator's name that are kept


@dataclass(frozen=True)
class NewLabel:
    """What an annotator says of a pair, and how they came to say it."""

    verdict: str
    text: str = ""  # a corrected text
    start_s: float | None = None
    end_s: float | None = None
    comment: str = ""
    annotator: str = ""
    origin: str = "api"
    query: str | None = None
    rank: int | None = None
    version_id: str | None = None
    claimed: float | None = None  # how likely the suggestion said it was, 0..1
    key: str | None = None  # the sender's; what comes again with its key is one label
    session: str | None = None  # the digest of the sender's; None: at this machine
    own_name: bool = False  # whether the annotator's has to be nobody else's


@dataclass(frozen=True)
class Sender:
    """Whose labels: those under a name, those of a session, or both; with neither, of whom nobody knows more.

    Args:
        name: as it stands with them.
        session: the digest of theirs.
        signed_in: whether the name is known to be theirs: then it is theirs on whichever device.
    """

    name: str = ""
    session: str | None = None
    signed_in: bool = False

    def made(self) -> ColumnElement[bool]:
        """What is true of a label of theirs."""
        named = Label.annotator == self.name[:MAX_NAME]
        if self.signed_in:
            return named
        if self.session is None:
            return and_(named, Label.session.is_(None))
        return or_(Label.session == self.session, named) if self.name else Label.session == self.session


@dataclass(frozen=True)
class Counts:
    """How far the labelling is."""

    pairs: int
    labelled: int  # pairs with a label in force
    of_kind: dict[str, int]  # by the kind of that label

    @property
    def usable(self) -> int:
        """Pairs whose label means something for training, on whichever side."""
        return sum(self.of_kind[name] for name in names_of("positive", "negative"))

    def as_json(self, sides: dict[str, int]) -> dict[str, int]:
        """The JSON of `/label_counts`; kinds that plug-ins bring come last.

        Args:
            sides: how many labels a run would take on each, as `take_snapshot` puts them.
        """
        known = {kind.name: self.of_kind[kind.name] for kind in BUILT_IN}
        return {"pairs": self.pairs} | known | sides | self.of_kind


class LabelLog:
    """Adding labels, taking them back, counting them."""

    def __init__(self, database: Database, pairs: PairStore) -> None:
        self._database = database
        self._pairs = pairs

    def add(self, pair_id: int, label: NewLabel) -> int:
        """Record a label on a known pair; its id is returned once it is safe on disk.

        Raises:
            UserError: no such pair or verdict, or a text or span that cannot be used.
            NameTakenError: the annotator's name is another's.
            StorageError: it is not saved.
        """
        with self._database.write() as session:
            pair = session.get(Pair, pair_id)
            if pair is None:
                raise UserError(f"There is no pair {pair_id}.", ELSEWHERE)
            return self.add_in(session, pair, label)

    def add_on(
        self,
        task: str,
        item_id: str,
        text: str,
        label: NewLabel,
        source: str,
        start_s: float | None = None,
        end_s: float | None = None,
    ) -> tuple[int, int]:
        """Record a label on an item with a text, which become a pair if they are none; returns label and
        pair.
        """
        with self._database.write() as session:
            pair, _ = self._pairs.add(
                session, task, item_id, text, source=source, start_s=start_s, end_s=end_s
            )
            return self.add_in(session, pair, label), pair.id

    def add_in(self, session: Session, pair: Pair, label: NewLabel) -> int:
        """Record a label within a write session; it is on disk when that session has ended."""
        LABEL_KINDS.get(label.verdict)
        check_span(label.start_s, label.end_s)
        if label.key and len(label.key) > MAX_KEY:
            raise UserError(
                f"The key has {len(label.key)} characters, over {MAX_KEY}.", "Send a shorter one."
            )
        label = _as_kept(pair, label)
        text = label.text
        known = _known(session, label.key)
        if known is not None:
            sent = (pair.id, label.verdict, text or pair.text, label.start_s, label.end_s)
            if sent != (known.pair_id, known.verdict, known.text or pair.text, known.start_s, known.end_s):
                raise _taken(known)
            return known.id
        if pair.removed_id is not None:
            raise removed_pair(pair.id)
        if text:
            self._pairs.place_text(session, pair.item_id, text)
        row = Label(
            pair_id=pair.id,
            verdict=label.verdict,
            text=text,
            start_s=label.start_s,
            end_s=label.end_s,
            comment=label.comment,
            annotator=label.annotator,
            origin=label.origin,
            query=label.query,
            rank=label.rank,
            version_id=label.version_id,
            key=label.key,
            claimed=label.claimed,
            session=label.session,
        )
        session.add(row)
        say_in(session, label.annotator, label.session, label.own_name)
        session.flush()
        end_in(session, pair.id, person_of(label.annotator, label.session))
        if text:
            add_in(session, LABEL, [(pair.item_id, str(row.id), text)])
        pair.label_id = label_in_force(session, pair.id) if pair.label_id is not None else row.id
        return row.id

    def has_in(self, session: Session, pair: Pair, label: NewLabel, exactly: bool = False) -> bool:
        """Whether the log has all of it on the pair already, taken back since or not.

        The annotator and the comment count where they are given, or always where it must be exactly the same.
        """
        label = _as_kept(pair, label)
        query = select(Label.id).where(Label.pair_id == pair.id, Label.verdict == label.verdict)
        query = query.where(Label.text == label.text)
        if label.annotator or exactly:
            query = query.where(Label.annotator == label.annotator)
        if label.comment or exactly:
            query = query.where(Label.comment == label.comment)
        return session.scalar(query.limit(1)) is not None

    def undo(
        self,
        label_id: int,
        annotator: str = "",
        key: str | None = None,
        *,
        sender: str | None = None,
        own_name: bool = False,
        whose: Sender | None = None,
        again: bool = False,
    ) -> tuple[int, int]:
        """Take a label back by adding one that says so; in force is then what most people say in the labels
        that are left (see answers.py). Returns the numbers of the one that is added and of the pair.

        Args:
            label_id: its number.
            annotator: who takes it back.
            key: the sender's; what comes again with its key is one undo.
            sender: the digest of the sender's session; None: at this machine.
            own_name: whether the annotator's has to be nobody else's.
            whose: it has to be; None: anybody's.
            again: whether a label that is undone already is no mistake: the answer is what has undone it.

        Raises:
            UserError: no such label, or it is another's or undone already.
            NameTakenError: the name is another's.
        """
        with self._database.write() as session:
            known = _known(session, key)
            if known is not None:
                if known.undoes != label_id:
                    raise _taken(known)
                return known.id, known.pair_id
            label = session.get(Label, label_id)
            if label is None or label.undoes is not None:
                raise UserError(f"There is no label {label_id} to undo.", ELSEWHERE)
            own = select(Label.id).where(Label.id == label_id)
            if whose is not None and session.scalar(own.where(whose.made())) is None:
                raise UserError(f"Label {label_id} is not yours.", "Who made it takes it back, or the owner.")
            undone_by = session.scalar(select(Label.id).where(Label.undoes == label_id))
            if undone_by is not None and again:
                return undone_by, label.pair_id
            if undone_by is not None:
                raise UserError(f"Label {label_id} is undone already.", "Nothing needs to be done.")
            row = Label(
                pair_id=label.pair_id,
                verdict=UNDO,
                undoes=label_id,
                annotator=annotator[:MAX_NAME],
                origin=label.origin,
                key=key,
                session=sender,
            )
            session.add(row)
            say_in(session, row.annotator, sender, own_name)
            session.flush()
            pair = session.get(Pair, label.pair_id)
            assert pair is not None  # a foreign key holds it
            pair.label_id = label_in_force(session, pair.id)
            return row.id, pair.id

    def on_claims(self, task: str, origin: str) -> list[tuple[float, str]]:
        """What suggestions claimed, 0..1, and the verdict in force on each; corrected ones are left out."""
        query = (
            select(Label.claimed, Label.verdict)
            .join(Pair, Pair.label_id == Label.id)
            .where(Pair.task == task, Label.origin == origin, Label.claimed.is_not(None), Label.text == "")
            .where(Pair.removed_id.is_(None))
        )
        with self._database.read() as session:
            return [(claimed or 0.0, verdict) for claimed, verdict in session.execute(query)]

    def get(self, label_id: int) -> Label | None:
        """One entry of the log."""
        with self._database.read() as session:
            return session.get(Label, label_id)

    def sent_as(self, key: str | None) -> Label | None:
        """The entry that came with a key."""
        with self._database.read() as session:
            return _known(session, key)

    def last_of(self, task: str, origin: str, sender: Sender, count: int) -> list[Label]:
        """Somebody's last labels that nobody has taken back, newest first.

        Args:
            task: of their pairs.
            origin: where the pairs were shown.
            sender: whose.
            count: at most so many.
        """
        undo = aliased(Label)
        query = (
            select(Label)
            .join(Pair, Pair.id == Label.pair_id)
            .outerjoin(undo, undo.undoes == Label.id)
            .where(Pair.task == task, Label.origin == origin, Label.undoes.is_(None), undo.id.is_(None))
            .where(sender.made(), Pair.removed_id.is_(None))
            .order_by(Label.id.desc())
            .limit(count)
        )
        with self._database.read() as session:
            return list(session.scalars(query))

    def items_of(self, label_ids: Sequence[int]) -> set[str]:
        """The items that those labels are on."""
        found: set[str] = set()
        with self._database.read() as session:
            for part in in_parts(label_ids):
                query = select(Pair.item_id).join(Label, Label.pair_id == Pair.id).where(Label.id.in_(part))
                found |= set(session.scalars(query))
        return found

    def counts(self, task: str) -> Counts:
        """Pairs by kind of label; those that were removed count for nothing."""

        def number(condition):  # type: ignore[no-untyped-def]
            return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)

        kinds = list(LABEL_KINDS)
        query = select(
            func.count(Pair.id),
            func.count(Pair.label_id),
            *(number(Label.verdict == kind) for kind in kinds),
        )
        query = query.select_from(Pair).outerjoin(Label, Label.id == Pair.label_id)
        query = query.where(Pair.task == task, Pair.removed_id.is_(None))
        with self._database.read() as session:
            pairs, labelled, *of_kind = map(int, session.execute(query).one())
        return Counts(pairs, labelled, dict(zip(kinds, of_kind, strict=True)))

    def opinions(self, task: str) -> dict[int, dict[str, int]]:
        """Of pairs that were judged more than once: how many people's last word is each verdict."""
        undo = aliased(Label)
        often = select(Label.pair_id).group_by(Label.pair_id).having(func.count(Label.id) > 1)
        query = (
            select(Label.pair_id, WHOSE, Label.verdict)
            .join(Pair, Pair.id == Label.pair_id)
            .outerjoin(undo, undo.undoes == Label.id)
            .where(Pair.task == task, Label.undoes.is_(None), undo.id.is_(None), Label.pair_id.in_(often))
            .order_by(Label.id)
        )
        last: dict[int, dict[str, str]] = {}
        with self._database.read() as session:
            for pair, whose, verdict in session.execute(query):
                last.setdefault(pair, {})[whose] = verdict
        return {pair: dict(Counter(words.values())) for pair, words in last.items()}

    def leaving(self, task: str) -> tuple[int, int, int]:
        """How many pairs have a label in force, labels nobody took back, and those of pairs removed since."""
        undo = aliased(Label)
        counts = func.count(case((Pair.removed_id.is_(None), 1))), func.count(Pair.removed_id)
        labels = select(*counts).select_from(Label).join(Pair, Pair.id == Label.pair_id)
        labels = labels.outerjoin(undo, undo.undoes == Label.id)
        labels = labels.where(Pair.task == task, Label.undoes.is_(None), undo.id.is_(None))
        pairs = select(func.count(Pair.label_id)).where(Pair.task == task, Pair.removed_id.is_(None))
        with self._database.read() as session:
            of_pairs, of_removed = session.execute(labels).one()
            return session.scalar(pairs) or 0, int(of_pairs), int(of_removed)

    def total(self, task: str = "") -> int:
        """How many rows the log has, of a task or of all; it never falls."""
        query = select(func.count(Label.id))
        if task:
            query = query.join(Pair, Pair.id == Label.pair_id).where(Pair.task == task)
        with self._database.read() as session:
            return session.scalar(query) or 0


def _as_kept(pair: Pair, label: NewLabel) -> NewLabel:
    """A label with its texts as the log has them: cleaned and cut; the pair's own text is no correction.

    Raises:
        UserError: the corrected text cannot be used.
    """
    text = clean_text(label.text) if label.text.strip() else ""
    return replace(
        label,
        text="" if text == pair.text else text,
        comment=label.comment[:2000].replace("\0", ""),
        annotator=label.annotator[:MAX_NAME].replace("\0", ""),
    )


def _known(session: Session, key: str | None) -> Label | None:
    """The label that came with a key already."""
    return session.scalar(select(Label).where(Label.key == key)) if key else None


def _taken(by: Label) -> UserError:
    return UserError(
        f"The key {by.key!r} belongs to another label already.", "Send a key of its own with each."
    )
