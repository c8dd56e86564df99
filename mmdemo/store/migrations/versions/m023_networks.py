"""What visitors bring and share is counted with their network: sessions are free, and networks are not."""

import sqlalchemy as sa
from alembic import op

revision = "m023"
down_revision = "m022"


def upgrade() -> None:
    """Add to files and short links a digest of the network; those that are there count by themselves."""
    for table, own in (("scratch", "quota"), ("short_links", "maker")):
        op.add_column(table, sa.Column("network", sa.String(64), nullable=False, server_default=""))
        op.execute(f"UPDATE {table} SET network = {own}")
