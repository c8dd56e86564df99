"""Versions whose files somebody deleted; the row stays, for labels and activations speak of it."""

import sqlalchemy as sa
from alembic import op

revision = "m004"
down_revision = "m003"


def upgrade() -> None:
    """Add a column."""
    op.add_column("versions", sa.Column("removed_at", sa.DateTime))
