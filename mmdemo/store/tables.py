"""The tables: items, texts and their splits, pairs, labels, who looks at which pair, imports, changes, runs,
versions, attempts, who is let in, short links, saved searches, and what is asked later.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    Connection,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    event,
    func,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, Mapper, mapped_column

from mmdemo.errors import UserError


def now() -> datetime:
    """The time in UTC, without the zone, as every database keeps it."""
    return datetime.now(UTC).replace(tzinfo=None)


UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # what is no character, or none that PostgreSQL takes
LARGE = BigInteger().with_variant(Integer, "sqlite")  # which counts to 64 bits
HARD_NEGATIVE = "hard-negative"  # the source of proposals: a picture with another's text


class Base(DeclarativeBase):
    """The declarative base; its metadata is what migrations must arrive at."""


@event.listens_for(Base, "before_insert", propagate=True)
@event.listens_for(Base, "before_update", propagate=True)
def require_storable(mapper: Mapper[Any], _connection: Connection, row: Any) -> None:
    """Refuse a value that one of the databases could not keep: SQLite would take what PostgreSQL does not.

    Raises:
        UserError: a text is too long or holds what is no character, or a whole number is too large.
    """
    for column in mapper.columns:
        value = getattr(row, mapper.get_property_by_column(column).key)
        if isinstance(value, str):
            most = getattr(column.type, "length", None)
            if most is not None and len(value) > most:
                what = f"{_called(column)} has {len(value)} characters, over the limit of {most}."
                raise UserError(what, "Shorten it.")
            if UNSTORABLE.search(value):
                raise UserError(f"{_called(column)} holds a character that cannot be stored.", "Remove it.")
        elif isinstance(column.type, Integer) and value is not None:
            bits = 64 if isinstance(column.type, BigInteger) else 32
            if not -(2 ** (bits - 1)) <= value < 2 ** (bits - 1):
                raise UserError(f"{_called(column)} is {value}.", f"Use a number of {bits} bits.")


def _called(column: ColumnElement[Any]) -> str:
    return f"The {str(column.key).removesuffix('_id').removesuffix('_s').replace('_', ' ')}"


class Item(Base):
    """One image, audio clip or video; its id is the SHA-256 of its bytes."""

    __tablename__ = "items"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    modality: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(300))  # as it was called where it came from
    suffix: Mapped[str] = mapped_column(String(16))  # .jpg
    source: Mapped[str] = mapped_column(String(120), index=True)  # samples, upload, or an import's name
    bytes: Mapped[int] = mapped_column(LARGE)
    made_bytes: Mapped[int] = mapped_column(LARGE, default=0)  # of what was made of it while it is looked at
    width: Mapped[int | None] = mapped_column(Integer)
    height: Mapped[int | None] = mapped_column(Integer)
    duration_s: Mapped[float | None] = mapped_column(Float)  # of audio and video
    listed: Mapped[bool] = mapped_column(default=True, index=True)  # part of the collection, found by search
    split: Mapped[str | None] = mapped_column(String(16))  # train, validation or held-out; given once
    created_at: Mapped[datetime] = mapped_column(DateTime, default=now)
    hidden: Mapped[bool] = mapped_column(default=False)  # no answer shows it; its labels count all the same
    import_id: Mapped[str | None] = mapped_column(String(16), index=True)  # that brought it
    removed_id: Mapped[int | None] = mapped_column(Integer, index=True)  # the change that took it out


class Scratch(Base):
    """That an item is of a session, which brought it to look at; it is no part of the collection."""

    __tablename__ = "scratch"
    item_id: Mapped[str] = mapped_column(ForeignKey("items.id"), primary_key=True)
    session: Mapped[str] = mapped_column(String(64), primary_key=True)  # the SHA-256 of its id; "": here
    until: Mapped[datetime] = mapped_column(DateTime, index=True)  # when it goes, unless it is used again
    quota: Mapped[str] = mapped_column(String(64), default="")  # of which visitor, a SHA-256; "": of none
    network: Mapped[str] = mapped_column(
        String(64), default=""
    )  # with whom all of theirs is counted, likewise


class Import(Base):
    """An import, and how far it has come: written in the transactions that write its rows."""

    __tablename__ = "imports"
    id: Mapped[str] = mapped_column(String(16), primary_key=True)  # of its own, at random
    name: Mapped[str] = mapped_column(String(120))  # as items and pairs call it as their source
    task: Mapped[str] = mapped_column(String(16))
    done: Mapped[int] = mapped_column(Integer, default=0)  # rows of its source
    mark: Mapped[str] = mapped_column(String(32), default="")  # a digest of what these rows were
    counts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # what they brought
    person: Mapped[str] = mapped_column(String(120), default="")  # who imported it, where they have a name
    created_at: Mapped[datetime] = mapped_column(DateTime, default=now)
    ended_at: Mapped[datetime | None] = mapped_column(DateTime)  # None: it goes on, or can be gone on with


class SourceFile(Base):
    """A file of a folder of this machine as an import found it, and the item that it was.

    Where the folder is only this machine knows: see `folders.py`. A file that has changed has two rows.
    """

    __tablename__ = "source_files"
    folder: Mapped[str] = mapped_column(String(32), primary_key=True)  # its id
    key: Mapped[str] = mapped_column(String(64), primary_key=True)  # the SHA-256 of the name
    item_id: Mapped[str] = mapped_column(
        String(64), primary_key=True, index=True
    )  # there may be none any more
    name: Mapped[str] = mapped_column(Text)  # of the file below the folder, with slashes
    bytes: Mapped[int] = mapped_column(LARGE)
    mtime_ns: Mapped[int] = mapped_column(LARGE)  # when it was last written to, as the system says
    outside: Mapped[bool] = mapped_column(default=False)  # whether the item is read from there


class TextSplit(Base):
    """The side on which every copy of one text falls."""

    __tablename__ = "text_splits"
    key: Mapped[str] = mapped_column(String(64), primary_key=True)  # SHA-256 of the folded text
    split: Mapped[str] = mapped_column(String(16))


class Pair(Base):
    """An item with a text; for audio and video perhaps a span in seconds."""

    __tablename__ = "pairs"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    task: Mapped[str] = mapped_column(String(16))
    item_id: Mapped[str] = mapped_column(ForeignKey("items.id"), index=True)
    text: Mapped[str] = mapped_column(Text)
    text_key: Mapped[str] = mapped_column(String(64), index=True)
    start_s: Mapped[float | None] = mapped_column(Float)
    end_s: Mapped[float | None] = mapped_column(Float)
    split: Mapped[str | None] = mapped_column(String(16))  # None: item and text are on different sides
    source: Mapped[str] = mapped_column(String(120))  # where the pairing comes from; hard-negative: proposed
    created_at: Mapped[datetime] = mapped_column(DateTime, default=now)
    label_id: Mapped[int | None] = mapped_column(Integer)  # the label in force: see answers.py
    hidden: Mapped[bool] = mapped_column(default=False)  # no answer shows its text; its label counts
    import_id: Mapped[str | None] = mapped_column(String(16), index=True)  # that brought it
    removed_id: Mapped[int | None] = mapped_column(Integer, index=True)  # the change that took it out
    __table_args__ = (
        Index(
            "uq_pairs",
            "task",
            "item_id",
            "text_key",
            func.coalesce(start_s, -1.0),
            func.coalesce(end_s, -1.0),
            unique=True,
        ),
        Index("ix_pairs_task_label", "task", "label_id"),
    )


class Change(Base):
    """That something was removed, hidden, shown again or edited. Rows are only ever added."""

    __tablename__ = "changes"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    action: Mapped[str] = mapped_column(String(16))  # remove, hide, show or edit
    person: Mapped[str] = mapped_column(String(120), default="")  # who did it, where they have a name
    details: Mapped[dict[str, Any]] = mapped_column(JSON)  # what was named, and how much it was
    done: Mapped[bool] = mapped_column(default=True, index=True)  # whether its files are gone from the disk
    created_at: Mapped[datetime] = mapped_column(DateTime, default=now)


class Label(Base):
    """One annotator's word on one pair. Rows are only ever added; triggers refuse anything else."""

    __tablename__ = "labels"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    pair_id: Mapped[int] = mapped_column(ForeignKey("pairs.id"), index=True)
    verdict: Mapped[str] = mapped_column(String(32))  # the name of a label kind, or undo
    undoes: Mapped[int | None] = mapped_column(Integer, index=True)  # the label that an undo takes back
    text: Mapped[str] = mapped_column(Text, default="")  # a corrected text, or empty
    start_s: Mapped[float | None] = mapped_column(Float)
    end_s: Mapped[float | None] = mapped_column(Float)
    comment: Mapped[str] = mapped_column(Text, default="")
    annotator: Mapped[str] = mapped_column(String(120), default="")
    origin: Mapped[str] = mapped_column(String(16), default="")  # label, search, api, import, samples
    query: Mapped[str | None] = mapped_column(Text)  # for a label made on a search result
    rank: Mapped[int | None] = mapped_column(Integer)  # its place among the results, from 1
    version_id: Mapped[str | None] = mapped_column(String(64))  # the version that showed it
    key: Mapped[str | None] = mapped_column(String(64), unique=True)  # the sender's: sent twice, stored once
    created_at: Mapped[datetime] = mapped_column(DateTime, default=now)
    claimed: Mapped[float | None] = mapped_column(Float)  # how likely the suggestion said it was, 0..1
    session: Mapped[str | None] = mapped_column(
        String(64)
    )  # the digest of its sender's; None: at this machine


class PairLease(Base):
    """That a pair is on somebody's screen. Rows come and go: what was said of a pair is in the labels."""

    __tablename__ = "pair_leases"
    holder: Mapped[str] = mapped_column(String(64), primary_key=True)  # a digest: of the screen
    pair_id: Mapped[int] = mapped_column(ForeignKey("pairs.id"), primary_key=True, index=True)
    person: Mapped[str] = mapped_column(String(64), index=True)  # a digest: of whoever is before it
    task: Mapped[str] = mapped_column(String(16))
    until: Mapped[datetime] = mapped_column(DateTime)


class Transcript(Base):
    """What a recogniser heard in a recording; a suggestion of a model, never a label."""

    __tablename__ = "transcripts"
    item_id: Mapped[str] = mapped_column(ForeignKey("items.id"), primary_key=True)
    version_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    language: Mapped[str] = mapped_column(String(8))
    segments: Mapped[list[dict[str, Any]]] = mapped_column(JSON)  # text, start, end, words
    done_s: Mapped[float] = mapped_column(Float)  # how far it goes: a stopped one goes on from there
    complete: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(DateTime, default=now)


class SearchableText(Base):
    """A text by whose words an item is found; a full-text index follows this table by itself."""

    __tablename__ = "searchable_texts"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    item_id: Mapped[str] = mapped_column(ForeignKey("items.id"), index=True)
    kind: Mapped[str] = mapped_column(String(16))  # pair, label, said, heard or written
    ref: Mapped[str] = mapped_column(String(80))  # the pair, the label, or what read or heard it
    body: Mapped[str] = mapped_column(Text)
    words: Mapped[str] = mapped_column(Text)  # of the body, as they are indexed
    __table_args__ = (Index("uq_searchable_texts", "kind", "ref", "item_id", unique=True),)


class Version(Base):
    """Weights that can be activated; immutable once written."""

    __tablename__ = "versions"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    task: Mapped[str] = mapped_column(String(16))
    base: Mapped[str] = mapped_column(
        String(300)
    )  # the preset, or the model named by hand, whose towers it uses
    parent: Mapped[str | None] = mapped_column(String(64))
    run_id: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(DateTime, default=now)
    removed_at: Mapped[datetime | None] = mapped_column(DateTime)  # when its files were deleted


class Activation(Base):
    """The history of which version was active: the newest row of a task is in force."""

    __tablename__ = "activations"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    task: Mapped[str] = mapped_column(String(16), index=True)
    version_id: Mapped[str] = mapped_column(ForeignKey("versions.id"))
    annotator: Mapped[str] = mapped_column(String(120), default="")
    created_at: Mapped[datetime] = mapped_column(DateTime, default=now)


class Run(Base):
    """One fine-tuning: its settings, where it stands, and what came of it."""

    __tablename__ = "runs"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    task: Mapped[str] = mapped_column(String(16))
    method: Mapped[str] = mapped_column(String(16))
    status: Mapped[str] = mapped_column(String(16))  # queued, running, done, stopped, failed
    parent: Mapped[str] = mapped_column(String(64))  # the version that was active at the start
    version_id: Mapped[str | None] = mapped_column(String(64))  # what it made
    settings: Mapped[dict[str, Any]] = mapped_column(JSON)
    snapshot_sha256: Mapped[str] = mapped_column(String(64))
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON)  # before, after, gains, examples
    decision: Mapped[str] = mapped_column(String(16), default="")  # promoted, kept-old, or empty: not yet
    message: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(DateTime, default=now)
    finished_at: Mapped[datetime | None] = mapped_column(DateTime)
    holder: Mapped[str | None] = mapped_column(String(120))  # the worker that has claimed it
    lease_until: Mapped[datetime | None] = mapped_column(DateTime)  # after which anybody may claim it again
    queued_at: Mapped[datetime | None] = mapped_column(DateTime)  # since when it waits; None: ever since


class Attempt(Base):
    """A version that was measured on a held-out set; with a number, to be promoted if it passes."""

    __tablename__ = "attempts"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    task: Mapped[str] = mapped_column(String(16), index=True)
    series: Mapped[int] = mapped_column(Integer)  # a held-out set that has doubled begins the next one
    number: Mapped[int | None] = mapped_column(Integer)  # k, from 1; None: shown, and nothing decided
    items: Mapped[int] = mapped_column(Integer)  # distinct held-out items
    version_id: Mapped[str] = mapped_column(String(64), index=True)
    against: Mapped[str] = mapped_column(String(64))  # the version that it was compared with
    chosen: Mapped[bool] = mapped_column(default=False)  # by a person, among versions that were shown
    annotator: Mapped[str] = mapped_column(String(120), default="")
    unit: Mapped[str] = mapped_column(String(32), default="")  # what was compared
    p: Mapped[float | None] = mapped_column(Float)
    gain: Mapped[float | None] = mapped_column(Float)  # mean difference an item
    spread: Mapped[float | None] = mapped_column(Float)  # its standard deviation over items
    certain: Mapped[bool | None] = mapped_column()
    created_at: Mapped[datetime] = mapped_column(DateTime, default=now)
    __table_args__ = (UniqueConstraint("task", "series", "number", name="uq_attempts"),)


class Grant(Base):
    """An invitation or a token: who has its key may do what a role may. The key itself is not kept."""

    __tablename__ = "grants"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))  # invitation, which a person opens, or token, of a script
    role: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(120))  # whom it is for
    name_key: Mapped[str] = mapped_column(String(64), default="", index=True)  # its digest, or empty
    digest: Mapped[str] = mapped_column(String(64), unique=True)  # of its key, by the workspace's secret
    uses_left: Mapped[int | None] = mapped_column(Integer)  # None: as often as one likes
    used: Mapped[int] = mapped_column(Integer, default=0)
    expires_at: Mapped[datetime] = mapped_column(DateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime)
    created_at: Mapped[datetime] = mapped_column(DateTime, default=now)
    used_at: Mapped[datetime | None] = mapped_column(DateTime)  # the last time that was noted


class SignedIn(Base):
    """That somebody is signed in: a session without its row is over. Its id is a secret, and is not kept."""

    __tablename__ = "sessions"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    mark: Mapped[str] = mapped_column(String(64), unique=True)  # the SHA-256 of the session's id
    let_in_by: Mapped[str] = mapped_column(String(120), index=True)  # what was shown: `Admitted.by`
    role: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(120))
    name_key: Mapped[str] = mapped_column(String(64), default="", index=True)  # its digest, or empty
    created_at: Mapped[datetime] = mapped_column(DateTime, default=now)
    used_at: Mapped[datetime] = mapped_column(DateTime, default=now)
    ends_at: Mapped[datetime] = mapped_column(DateTime, index=True)


class ShortLink(Base):
    """What is on a page, as its address says it, where that is too long to send."""

    __tablename__ = "short_links"
    id: Mapped[str] = mapped_column(String(16), primary_key=True)  # at random
    state: Mapped[str] = mapped_column(Text)  # after the question mark
    digest: Mapped[str] = mapped_column(String(64), index=True)  # its SHA-256
    maker: Mapped[str] = mapped_column(String(64), index=True)  # in whose share it counts; "": this machine's
    network: Mapped[str] = mapped_column(String(64))  # a digest: with whom the makers there are counted
    by_visitor: Mapped[bool] = mapped_column(index=True)  # whether nobody let them in
    created_at: Mapped[datetime] = mapped_column(DateTime, default=now)


class SavedSearch(Base):
    """A search that stands under a name for everybody here, as the address of the page says it."""

    __tablename__ = "saved_searches"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    task: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(120))
    state: Mapped[str] = mapped_column(Text)  # after the question mark
    maker: Mapped[str] = mapped_column(String(64))  # a digest of who saved it: they may remove it
    person: Mapped[str] = mapped_column(String(120), default="")  # as they are called, where they have a name
    created_at: Mapped[datetime] = mapped_column(DateTime, default=now)
    __table_args__ = (UniqueConstraint("task", "name", name="uq_saved_searches"),)


class AskedLater(Base):
    """That somebody wants to be asked about a pair: until it has a label it is their next."""

    __tablename__ = "asked_later"
    pair_id: Mapped[int] = mapped_column(ForeignKey("pairs.id"), primary_key=True)
    person: Mapped[str] = mapped_column(String(64), primary_key=True)  # a digest of who wants it
    created_at: Mapped[datetime] = mapped_column(DateTime, default=now)


class SaidName(Base):
    """That labels of somebody bear a name. The log of labels would say so too, and is long."""

    __tablename__ = "said_names"
    key: Mapped[str] = mapped_column(String(64), primary_key=True)  # the SHA-256 of what the name reads as
    mark: Mapped[str] = mapped_column(String(64), primary_key=True)  # of their maker; empty: this machine's
