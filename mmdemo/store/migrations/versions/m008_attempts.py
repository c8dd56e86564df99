"""How often each held-out set was asked."""

import sqlalchemy as sa
from alembic import op

revision = "m008"
down_revision = "m007"


def upgrade() -> None:
    """Add a table."""
    op.create_table(
        "attempts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("task", sa.String(16), nullable=False, index=True),
        sa.Column("series", sa.Integer, nullable=False),
        sa.Column("number", sa.Integer),
        sa.Column("items", sa.Integer, nullable=False),
        sa.Column("version_id", sa.String(64), nullable=False, index=True),
        sa.Column("against", sa.String(64), nullable=False),
        sa.Column("chosen", sa.Boolean, nullable=False),
        sa.Column("annotator", sa.String(120), nullable=False),
        sa.Column("unit", sa.String(32), nullable=False),
        sa.Column("p", sa.Float),
        sa.Column("gain", sa.Float),
        sa.Column("spread", sa.Float),
        sa.Column("certain", sa.Boolean),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.UniqueConstraint("task", "series", "number", name="uq_attempts"),
    )
