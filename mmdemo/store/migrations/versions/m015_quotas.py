"""What visitors bring is counted apart from what others do."""

import sqlalchemy as sa
from alembic import op

revision = "m015"
down_revision = "m014"


def upgrade() -> None:
    """Add a column; what was brought before goes soon, and is counted for no visitor."""
    op.add_column("scratch", sa.Column("quota", sa.String(64), nullable=False, server_default=""))
