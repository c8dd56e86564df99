"""Both databases find the same words: what a word is is decided before they index it."""

import re
import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "m017"
down_revision = "m016"
AT_ONCE = 500  # rows
MOST_MARKS = 30  # of a letter
LONGEST_WORD = 200  # characters
WHOLE_BYTES, NEW_BYTES = 200_000, 400_000  # of words: all that come first, then only new ones


def upgrade() -> None:
    """Add a column with the words of each text, and index it in the place of the texts."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    if sqlite:
        for verb in ("insert", "delete", "update"):
            op.execute(f"DROP TRIGGER searchable_texts_{verb}")
        op.execute("DROP TABLE searchable_texts_words")
    else:
        op.execute("DROP INDEX searchable_texts_words")
    op.add_column("searchable_texts", sa.Column("words", sa.Text, nullable=False, server_default=""))
    _fill()
    if sqlite:
        _index_in_sqlite()
    else:
        _index_in_postgresql()


def _fill() -> None:
    connection, last = op.get_bind(), -1
    take = sa.text("SELECT id, body FROM searchable_texts WHERE id > :last ORDER BY id LIMIT :most")
    put = sa.text("UPDATE searchable_texts SET words = :words WHERE id = :id")
    while rows := connection.execute(take, {"last": last, "most": AT_ONCE}).all():
        connection.execute(put, [{"id": row.id, "words": _words(row.body)} for row in rows])
        last = rows[-1].id


def _words(body: str) -> str:
    """The words of a text as they were indexed when this was written."""
    marks, safe = 0, ""
    for one in body:
        marks = marks + 1 if unicodedata.combining(one) else 0
        safe += one * (
            marks <= MOST_MARKS
        )  # Python sorts those of a letter in a time that grows with their square
    bare = re.sub("[\u0300-\u036f]+", "", unicodedata.normalize("NFKD", safe))
    kept: list[str] = []
    known: set[str] = set()
    size = 0
    for found in re.finditer(r"[^\W_]+", unicodedata.normalize("NFC", bare.casefold())):
        word = found.group()[:LONGEST_WORD]
        if size < WHOLE_BYTES or word not in known:
            size += len(word.encode()) + 1
            if size > NEW_BYTES:
                break
            known.add(word)
            kept.append(word)
    return " ".join(kept)


def _index_in_sqlite() -> None:
    """As before, of the words."""
    op.execute(
        "CREATE VIRTUAL TABLE searchable_texts_words USING fts5(words, content='searchable_texts', "
        "content_rowid='id', tokenize='porter unicode61 remove_diacritics 0')"
    )
    added = "INSERT INTO searchable_texts_words (rowid, words) VALUES (new.id, new.words);"
    gone = (
        "INSERT INTO searchable_texts_words (searchable_texts_words, rowid, words) "
        "VALUES ('delete', old.id, old.words);"
    )
    for verb, does in (("INSERT", added), ("DELETE", gone), ("UPDATE", gone + added)):
        op.execute(
            f"CREATE TRIGGER searchable_texts_{verb.lower()} AFTER {verb} ON searchable_texts "
            f"BEGIN {does} END"
        )
    op.execute("INSERT INTO searchable_texts_words (searchable_texts_words) VALUES ('rebuild')")


def _index_in_postgresql() -> None:
    """English stems, of the small words too: a query of nothing else finds them in SQLite as well."""
    op.execute("CREATE TEXT SEARCH DICTIONARY mmdemo_stem (TEMPLATE = snowball, Language = english)")
    op.execute("CREATE TEXT SEARCH CONFIGURATION mmdemo (COPY = english)")
    op.execute("ALTER TEXT SEARCH CONFIGURATION mmdemo ALTER MAPPING REPLACE english_stem WITH mmdemo_stem")
    op.execute(
        "CREATE INDEX searchable_texts_words ON searchable_texts USING gin (to_tsvector('mmdemo', words))"
    )
