"""Texts that are found by their words: of pairs, corrected ones, transcripts, what is written in pictures.

They stand in one table. Its full-text index (FTS5 in SQLite, tsvector in PostgreSQL) follows it by the
database itself, and the table is written in the transaction that writes what it is made from. What a word is
is decided here, once: the databases index them as `indexed_words` writes them, and only find the stems.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence, Set
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, func, insert, select, text
from sqlalchemy.orm import Session

from mmdemo.store.database import Database, in_parts
from mmdemo.store.items import is_gone
from mmdemo.store.tables import SearchableText
from mmdemo.store.texts import normalized

PAIR, LABEL, SAID, HEARD, WRITTEN = "pair", "label", "said", "heard", "written"
KINDS = frozenset({PAIR, LABEL, SAID, HEARD, WRITTEN})
SMALL_WORDS = frozenset("a an and at by for from in into is it of off on or the this to was with".split())  # noqa: SIM905
EVERY = 2**31 - 1  # texts: as good as no limit, and one that both databases take
MOST_WORDS = 32  # of a query that are looked for
LONGEST_WORD = 200  # characters by which words are told apart; PostgreSQL indexes none over 2 KB
# Bytes of words: those of the beginning of a text are indexed as often as they come, the later ones once.
# PostgreSQL takes 1 MB of words with their places.
WHOLE_BYTES, NEW_BYTES = 200_000, 400_000
MARKS = re.compile("[\u0300-\u036f]+")  # accents of letters, which few people type
WORD = re.compile(r"[^\W_]+")

_COLLECTION = "items.listed AND NOT items.hidden AND items.modality = :modality AND found.kind IN :kinds"
FIND = {  # texts of a collection that hold one of the words, best first
    "sqlite": "SELECT found.item_id, found.kind, found.body, -words.rank AS score "
    "FROM searchable_texts_words words JOIN searchable_texts found ON found.id = words.rowid "
    "JOIN items ON items.id = found.item_id "
    f"WHERE words.searchable_texts_words MATCH :query AND {_COLLECTION} "
    "ORDER BY words.rank, found.id LIMIT :most",
    "postgresql": "SELECT found.item_id, found.kind, found.body, "
    "ts_rank_cd(to_tsvector('mmdemo', found.words), query) AS score "
    "FROM searchable_texts found JOIN items ON items.id = found.item_id, to_tsquery('mmdemo', :query) query "
    f"WHERE to_tsvector('mmdemo', found.words) @@ query AND {_COLLECTION} "
    "ORDER BY score DESC, found.id LIMIT :most",
}
JOINED = {"sqlite": " OR ", "postgresql": " | "}
QUOTED = {"sqlite": '"{}"', "postgresql": "'{}'"}


@dataclass(frozen=True)
class Hit:
    """A text that holds some of the words looked for."""

    item: str
    kind: str  # pair, label, said, heard or written
    body: str
    score: float  # greater is better; comparable within one answer


class WordIndex:
    """The table and its index."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, query: str, modality: str, limit: int, kinds: Collection[str] = KINDS) -> list[Hit]:
        """Texts of a modality's collection that hold one of a query's words, best first.

        Args:
            query: words; those that carry no meaning are passed over where others are there.
            modality: its name.
            limit: at most so many texts of that collection and those kinds.
            kinds: of the texts that are looked in.
        """
        words = [word[:LONGEST_WORD] for word in content_words(query)[:MOST_WORDS]]
        if not words or not kinds:
            return []
        dialect = self._database.engine.dialect.name
        asked = JOINED[dialect].join(QUOTED[dialect].format(word) for word in words)
        wanted = text(FIND[dialect]).bindparams(bindparam("kinds", expanding=True))
        values = {"query": asked, "modality": modality, "kinds": sorted(kinds), "most": limit}
        with self._database.read() as session:
            return [Hit(*row) for row in session.execute(wanted, values)]

    def put(self, item: str, kind: str, ref: str, body: str) -> None:
        """Keep a text of an item in the place of the one before it; none of an item that was removed."""
        with self._database.write() as session:
            if not is_gone(session, item):
                put_in(session, item, kind, ref, body)

    def known(self, kind: str, ref: str) -> dict[str, str]:
        """The texts of a kind that one source has given, by item; an empty one says that it looked."""
        query = select(SearchableText.item_id, SearchableText.body)
        query = query.where(SearchableText.kind == kind, SearchableText.ref == ref)
        with self._database.read() as session:
            return {item: body for item, body in session.execute(query)}

    def count(self, kind: str, ref: str) -> int:
        """How many texts of a kind one source has given."""
        query = select(func.count()).select_from(SearchableText)
        query = query.where(SearchableText.kind == kind, SearchableText.ref == ref)
        with self._database.read() as session:
            return int(session.scalar(query) or 0)

    def of_items(self, ids: Sequence[str], kinds: Sequence[str]) -> dict[str, list[Hit]]:
        """The texts of some kinds of each of those items; their score is 0."""
        found: dict[str, list[Hit]] = {i: [] for i in ids}
        with self._database.read() as session:
            for part in in_parts(ids):
                query = select(SearchableText).where(SearchableText.item_id.in_(part))
                for row in session.scalars(query.where(SearchableText.kind.in_(kinds))):
                    found[row.item_id].append(Hit(row.item_id, row.kind, row.body, 0.0))
        return found


def add_in(session: Session, kind: str, new: Sequence[tuple[str, str, str]]) -> None:
    """Keep texts whose sources are new within a write session: they are found as soon as that is on disk.

    Args:
        session: of the database.
        kind: of all of them.
        new: the item, the source and what it says, of each; nothing in it that cannot be stored.
    """
    names = "item_id", "ref", "body"
    rows = [dict(zip(names, one, strict=True), kind=kind, words=indexed_words(one[2])) for one in new]
    if rows:
        session.execute(insert(SearchableText), rows)  # one statement: nobody asks for their numbers


def put_in(session: Session, item: str, kind: str, ref: str, body: str) -> None:
    """As `add_in` one text, in the place of the text that the source gave before."""
    same = (SearchableText.kind == kind, SearchableText.ref == ref, SearchableText.item_id == item)
    session.execute(delete(SearchableText).where(*same))
    session.add(SearchableText(item_id=item, kind=kind, ref=ref, body=body, words=indexed_words(body)))


def plain(text: str) -> str:
    """A text without regard to case, width and accents."""
    return normalized("NFC", MARKS.sub("", normalized("NFKD", text)).casefold())


def indexed_words(body: str) -> str:
    """The words of a text as they are indexed, with blanks between; after its first 200 kB only new ones."""
    kept: list[str] = []
    known: set[str] = set()
    size = 0
    for found in WORD.finditer(plain(body)):
        word = found.group()[:LONGEST_WORD]
        if size < WHOLE_BYTES or word not in known:
            size += len(word.encode()) + 1
            if size > NEW_BYTES:
                break
            known.add(word)
            kept.append(word)
    return " ".join(kept)


def content_words(query: str) -> list[str]:
    """The words that carry meaning, plain, each once; all where none does."""
    words = list(dict.fromkeys(WORD.findall(plain(query))))
    return [word for word in words if word not in SMALL_WORDS] or words


def stem(word: str) -> str:
    """A word without its plural: enough to tell whether a text that was found holds it."""
    for ending, instead in (("ies", "y"), ("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("shes", "sh")):
        if word.endswith(ending) and len(word) > len(ending) + 1:
            return word[: -len(ending)] + instead
    return (
        word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word
    )


def stems(query: str) -> set[str]:
    """The words that carry meaning, without their plurals."""
    return {stem(word) for word in content_words(query)}


def held_share(wanted: Set[str], body: str) -> float:
    """The share of the `stems` of a query that a text holds, 0..1."""
    there = {stem(word) for word in WORD.findall(plain(body))}
    return len(wanted & there) / len(wanted) if wanted else 0.0
