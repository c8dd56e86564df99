"""Who is signed in, so that signing out ends a session wherever its cookie was copied to."""

import sqlalchemy as sa
from alembic import op

revision = "m016"
down_revision = "m015"


def upgrade() -> None:
    """Add a table, and when a key was last used. Whoever was signed in signs in once more."""
    op.create_table(
        "sessions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("mark", sa.String(64), nullable=False, unique=True),
        sa.Column("let_in_by", sa.String(120), nullable=False, index=True),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("used_at", sa.DateTime, nullable=False),
        sa.Column("ends_at", sa.DateTime, nullable=False, index=True),
    )
    op.add_column("grants", sa.Column("used_at", sa.DateTime))
