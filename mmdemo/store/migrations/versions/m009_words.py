"""Words are found: the texts of pairs, corrected texts, transcripts and what is written in pictures."""

import json

import sqlalchemy as sa
from alembic import op

revision = "m009"
down_revision = "m008"


def upgrade() -> None:
    """Add a table with a full-text index, which triggers keep in step, and fill it from what there is."""
    op.create_table(
        "searchable_texts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("item_id", sa.String(64), sa.ForeignKey("items.id"), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("ref", sa.String(80), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("ix_searchable_texts_item_id", "searchable_texts", ["item_id"])
    op.create_index("uq_searchable_texts", "searchable_texts", ["kind", "ref", "item_id"], unique=True)
    if op.get_bind().dialect.name == "sqlite":
        _index_in_sqlite()
    else:
        op.execute(
            "CREATE INDEX searchable_texts_words ON searchable_texts USING gin (to_tsvector('english', body))"
        )
    _fill()


def _index_in_sqlite() -> None:
    """An FTS5 index without a copy of the texts (sqlite.org/fts5.html, section 4.4.3)."""
    op.execute(
        "CREATE VIRTUAL TABLE searchable_texts_words USING fts5(body, content='searchable_texts', "
        "content_rowid='id', tokenize='porter unicode61 remove_diacritics 2')"
    )
    added = "INSERT INTO searchable_texts_words (rowid, body) VALUES (new.id, new.body);"
    gone = (
        "INSERT INTO searchable_texts_words (searchable_texts_words, rowid, body) "
        "VALUES ('delete', old.id, old.body);"
    )
    for verb, does in (("INSERT", added), ("DELETE", gone), ("UPDATE", gone + added)):
        op.execute(
            f"CREATE TRIGGER searchable_texts_{verb.lower()} AFTER {verb} ON searchable_texts "
            f"BEGIN {does} END"
        )


def _fill() -> None:
    put = "INSERT INTO searchable_texts (item_id, kind, ref, body) "
    op.execute(put + "SELECT item_id, 'pair', CAST(id AS VARCHAR(80)), text FROM pairs")
    op.execute(
        put + "SELECT pairs.item_id, 'label', CAST(labels.id AS VARCHAR(80)), labels.text FROM labels "
        "JOIN pairs ON pairs.id = labels.pair_id WHERE labels.text != ''"
    )
    connection = op.get_bind()
    rows = connection.execute(sa.text("SELECT item_id, version_id, segments FROM transcripts")).all()
    for item, version, segments in rows:
        found = json.loads(segments) if isinstance(segments, str) else segments
        body = " ".join(s["text"] for s in found or [])
        if body:
            connection.execute(
                sa.text(put + "VALUES (:item, 'said', :ref, :body)"),
                {"item": item, "ref": version, "body": body},
            )
