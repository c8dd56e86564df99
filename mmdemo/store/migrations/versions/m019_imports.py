"""An import is known, how far it has come, and which file of which folder each item was."""

import sqlalchemy as sa
from alembic import op

revision = "m019"
down_revision = "m018"
LARGE = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add a table of imports, and one of the files that they found."""
    op.create_table(
        "imports",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("task", sa.String(16), nullable=False),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("mark", sa.String(32), nullable=False),
        sa.Column("counts", sa.JSON, nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("ended_at", sa.DateTime),
    )
    op.create_table(
        "source_files",
        sa.Column("folder", sa.String(32), primary_key=True),
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("item_id", sa.String(64), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("bytes", LARGE, nullable=False),
        sa.Column("mtime_ns", LARGE, nullable=False),
        sa.Column("outside", sa.Boolean, nullable=False),
    )
    op.create_index("ix_source_files_item_id", "source_files", ["item_id"])
