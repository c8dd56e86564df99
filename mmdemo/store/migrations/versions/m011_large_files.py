"""Files of two gigabytes and more are counted."""

import sqlalchemy as sa
from alembic import op

revision = "m011"
down_revision = "m010"


def upgrade() -> None:
    """Widen a column; SQLite counts that far in any."""
    if op.get_bind().dialect.name != "sqlite":
        op.alter_column("items", "bytes", type_=sa.BigInteger, existing_type=sa.Integer)
