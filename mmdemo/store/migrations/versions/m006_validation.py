"""A third side beside train and held-out, whose name is longer than eight characters."""

import sqlalchemy as sa
from alembic import op

revision = "m006"
down_revision = "m005"


def upgrade() -> None:
    """Widen columns; no row changes."""
    # SQLite makes a table anew for it and would lose the index over expressions, which is not reflected.
    op.drop_index("uq_pairs", "pairs")
    for name in ("items", "text_splits", "pairs"):
        with op.batch_alter_table(name) as table:
            table.alter_column("split", existing_type=sa.String(8), type_=sa.String(16))
    span = [sa.text("coalesce(start_s, -1.0)"), sa.text("coalesce(end_s, -1.0)")]
    op.create_index("uq_pairs", "pairs", ["task", "item_id", "text_key", *span], unique=True)
