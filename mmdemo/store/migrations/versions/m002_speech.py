"""Durations of recordings, and their transcripts."""

import sqlalchemy as sa
from alembic import op

revision = "m002"
down_revision = "m001"


def upgrade() -> None:
    """Add a column and a table."""
    op.add_column("items", sa.Column("duration_s", sa.Float))
    op.create_table(
        "transcripts",
        sa.Column("item_id", sa.String(64), sa.ForeignKey("items.id"), primary_key=True),
        sa.Column("version_id", sa.String(64), primary_key=True),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("segments", sa.JSON, nullable=False),
        sa.Column("done_s", sa.Float, nullable=False),
        sa.Column("complete", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
    )
