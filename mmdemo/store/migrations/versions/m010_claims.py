"""A label on a suggestion knows how likely the suggestion said it was."""

import sqlalchemy as sa
from alembic import op

revision = "m010"
down_revision = "m009"


def upgrade() -> None:
    """Add the claim, which labels of before do not have."""
    op.add_column("labels", sa.Column("claimed", sa.Float, nullable=True))
