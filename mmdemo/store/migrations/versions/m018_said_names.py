"""Whose a name is is found by the name, and not by reading all labels."""

import hashlib
import re
import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "m018"
down_revision = "m017"
BLANK = "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn")


def upgrade() -> None:
    """Add a table of the names that labels bear, and what a name reads as to invitations and sessions."""
    said = op.create_table(
        "said_names",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("mark", sa.String(64), primary_key=True),
    )
    connection = op.get_bind()
    labels = sa.text("SELECT DISTINCT annotator, session FROM labels WHERE annotator <> ''")
    found = {(_key(name), mark or "") for name, mark in connection.execute(labels)}
    if rows := [{"key": key, "mark": mark} for key, mark in sorted(found) if key]:
        connection.execute(said.insert(), rows)
    for table in ("grants", "sessions"):
        op.add_column(table, sa.Column("name_key", sa.String(64), nullable=False, server_default=""))
        op.create_index(f"ix_{table}_name_key", table, ["name_key"])
        names = sa.text(f"SELECT DISTINCT name FROM {table} WHERE name <> ''")
        put = sa.text(f"UPDATE {table} SET name_key = :key WHERE name = :name")
        for (name,) in connection.execute(names).all():
            connection.execute(put, {"key": _key(name), "name": name})


def _key(name: str) -> str:
    folded = unicodedata.normalize("NFKC", _shown(name)).casefold()
    key = _shown(unicodedata.normalize("NFKC", folded))
    return hashlib.sha256(key.encode()).hexdigest() if key else ""


def _shown(name: str) -> str:
    drawn = "".join(one if unicodedata.category(one) not in UNSEEN else " " * one.isspace() for one in name)
    return " ".join(re.sub(BLANK, "", drawn).split())
