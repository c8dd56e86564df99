"""How much was made of an item that somebody looks at counts in their share."""

import sqlalchemy as sa
from alembic import op

revision = "m021"
down_revision = "m020"


def upgrade() -> None:
    """Add to items how many bytes were made of them."""
    large = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # which counts to 64 bits
    op.add_column("items", sa.Column("made_bytes", large, nullable=False, server_default="0"))
