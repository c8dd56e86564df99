"""Runs are claimed by workers: who holds one, until when, and since when it waits."""

import sqlalchemy as sa
from alembic import op

revision = "m005"
down_revision = "m004"


def upgrade() -> None:
    """Add columns; a run that was running under an earlier version has no lease and can be claimed."""
    op.add_column("runs", sa.Column("holder", sa.String(120)))
    op.add_column("runs", sa.Column("lease_until", sa.DateTime))
    op.add_column("runs", sa.Column("queued_at", sa.DateTime))
