"""Files that somebody brought to look at are of a session, for a while."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op

revision = "m013"
down_revision = "m012"
KEPT = timedelta(days=1)


def upgrade() -> None:
    """Add a table; what was brought before is of whoever works at this machine, for a day."""
    scratch = op.create_table(
        "scratch",
        sa.Column("item_id", sa.String(64), sa.ForeignKey("items.id"), primary_key=True),
        sa.Column("session", sa.String(64), primary_key=True),
        sa.Column("until", sa.DateTime, nullable=False, index=True),
    )
    items, pairs = (
        sa.table("items", sa.column("id"), sa.column("listed")),
        sa.table("pairs", sa.column("item_id")),
    )
    until = datetime.now(UTC).replace(tzinfo=None) + KEPT
    unlisted = sa.select(items.c.id, sa.literal(""), sa.literal(until, sa.DateTime)).where(
        sa.not_(items.c.listed), items.c.id.not_in(sa.select(pairs.c.item_id))
    )
    op.get_bind().execute(sa.insert(scratch).from_select(["item_id", "session", "until"], unlisted))
