"""A label knows from which session it came, and what an undo takes back is found by its number."""

import sqlalchemy as sa
from alembic import op

revision = "m012"
down_revision = "m011"


def upgrade() -> None:
    """Add the session, which labels of before do not have, and an index of undos."""
    op.add_column("labels", sa.Column("session", sa.String(64), nullable=True))
    op.create_index("ix_labels_undoes", "labels", ["undoes"])
