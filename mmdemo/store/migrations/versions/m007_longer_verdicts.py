"""Kinds of labels that plug-ins bring have longer names."""

import sqlalchemy as sa
from alembic import op

revision = "m007"
down_revision = "m006"


def upgrade() -> None:
    """Widen a column; SQLite makes the table anew for that, so its triggers are made anew too."""
    labels = sa.Table(  # said here, since reading it back follows its key to an index that cannot be read
        "labels",
        sa.MetaData(),
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("pair_id", sa.Integer, sa.ForeignKey("pairs.id"), nullable=False, index=True),
        sa.Column("verdict", sa.String(8), nullable=False),
        sa.Column("undoes", sa.Integer),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("start_s", sa.Float),
        sa.Column("end_s", sa.Float),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("annotator", sa.String(120), nullable=False),
        sa.Column("origin", sa.String(16), nullable=False),
        sa.Column("query", sa.Text),
        sa.Column("rank", sa.Integer),
        sa.Column("version_id", sa.String(64)),
        sa.Column("key", sa.String(64), unique=True),
        sa.Column("created_at", sa.DateTime, nullable=False),
    )
    with op.batch_alter_table("labels", copy_from=labels) as table:
        table.alter_column(
            "verdict", existing_type=sa.String(8), type_=sa.String(32), existing_nullable=False
        )
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER labels_no_{verb.lower()} BEFORE {verb} ON labels "
                "BEGIN SELECT RAISE(ABORT, 'labels are only ever added'); END"
            )
