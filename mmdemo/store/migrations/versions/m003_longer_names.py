"""Base models that are named by hand, perhaps by a folder, have longer names."""

import sqlalchemy as sa
from alembic import op

revision = "m003"
down_revision = "m002"


def upgrade() -> None:
    """Widen a column."""
    with op.batch_alter_table("versions") as table:
        table.alter_column("base", existing_type=sa.String(64), type_=sa.String(300))
