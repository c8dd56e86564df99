"""Which pairs are on whose screen stands in the database: several processes hand out no pair twice."""

import sqlalchemy as sa
from alembic import op

revision = "m025"
down_revision = "m024"


def upgrade() -> None:
    """Add a table; what was on screens before was known to one process alone."""
    op.create_table(
        "pair_leases",
        sa.Column("holder", sa.String(64), primary_key=True),
        sa.Column("pair_id", sa.Integer, sa.ForeignKey("pairs.id"), primary_key=True),
        sa.Column("person", sa.String(64), nullable=False),
        sa.Column("task", sa.String(16), nullable=False),
        sa.Column("until", sa.DateTime, nullable=False),
    )
    for name in ("pair_id", "person"):
        op.create_index(f"ix_pair_leases_{name}", "pair_leases", [name])
