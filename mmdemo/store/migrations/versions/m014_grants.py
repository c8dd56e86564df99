"""Invitations and tokens: whom the owner lets in, and as what."""

import sqlalchemy as sa
from alembic import op

revision = "m014"
down_revision = "m013"


def upgrade() -> None:
    """Add a table."""
    op.create_table(
        "grants",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("uses_left", sa.Integer),
        sa.Column("used", sa.Integer, nullable=False),
        sa.Column("expires_at", sa.DateTime, nullable=False),
        sa.Column("revoked_at", sa.DateTime),
        sa.Column("created_at", sa.DateTime, nullable=False),
    )
