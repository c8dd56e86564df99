"""What is on a page is kept under an id, where it is too long for an address."""

import sqlalchemy as sa
from alembic import op

revision = "m022"
down_revision = "m021"


def upgrade() -> None:
    """Add a table."""
    op.create_table(
        "short_links",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("maker", sa.String(64), nullable=False),
        sa.Column("by_visitor", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
    )
    for name in ("digest", "maker", "by_visitor"):
        op.create_index(f"ix_short_links_{name}", "short_links", [name])
