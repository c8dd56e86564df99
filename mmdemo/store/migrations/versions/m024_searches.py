"""A search is saved under a name, and what it found can be asked later."""

import sqlalchemy as sa
from alembic import op

revision = "m024"
down_revision = "m023"


def upgrade() -> None:
    """Add a table of searches, and one of pairs that somebody wants to be asked about."""
    op.create_table(
        "saved_searches",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("task", sa.String(16), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("maker", sa.String(64), nullable=False),
        sa.Column("person", sa.String(120), nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.UniqueConstraint("task", "name", name="uq_saved_searches"),
    )
    op.create_table(
        "asked_later",
        sa.Column("pair_id", sa.Integer, sa.ForeignKey("pairs.id"), primary_key=True),
        sa.Column("person", sa.String(64), primary_key=True),
        sa.Column("created_at", sa.DateTime, nullable=False),
    )
