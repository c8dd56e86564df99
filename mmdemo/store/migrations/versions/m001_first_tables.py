"""The first tables, and the triggers that keep labels append-only."""

import sqlalchemy as sa
from alembic import op

revision = "m001"
down_revision = None


def upgrade() -> None:
    """Create everything."""
    op.create_table(
        "items",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("modality", sa.String(16), nullable=False),
        sa.Column("name", sa.String(300), nullable=False),
        sa.Column("suffix", sa.String(16), nullable=False),
        sa.Column("source", sa.String(120), nullable=False, index=True),
        sa.Column("bytes", sa.Integer, nullable=False),
        sa.Column("width", sa.Integer),
        sa.Column("height", sa.Integer),
        sa.Column("listed", sa.Boolean, nullable=False, index=True),
        sa.Column("split", sa.String(8)),
        sa.Column("created_at", sa.DateTime, nullable=False),
    )
    op.create_table(
        "text_splits",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("split", sa.String(8), nullable=False),
    )
    op.create_table(
        "pairs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("task", sa.String(16), nullable=False),
        sa.Column("item_id", sa.String(64), sa.ForeignKey("items.id"), nullable=False, index=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("text_key", sa.String(64), nullable=False, index=True),
        sa.Column("start_s", sa.Float),
        sa.Column("end_s", sa.Float),
        sa.Column("split", sa.String(8)),
        sa.Column("source", sa.String(120), nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("label_id", sa.Integer),
    )
    span = [sa.text("coalesce(start_s, -1.0)"), sa.text("coalesce(end_s, -1.0)")]
    op.create_index("uq_pairs", "pairs", ["task", "item_id", "text_key", *span], unique=True)
    op.create_index("ix_pairs_task_label", "pairs", ["task", "label_id"])
    op.create_table(
        "labels",
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
    op.create_table(
        "versions",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("task", sa.String(16), nullable=False),
        sa.Column("base", sa.String(64), nullable=False),
        sa.Column("parent", sa.String(64)),
        sa.Column("run_id", sa.String(64)),
        sa.Column("created_at", sa.DateTime, nullable=False),
    )
    op.create_table(
        "activations",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("task", sa.String(16), nullable=False, index=True),
        sa.Column("version_id", sa.String(64), sa.ForeignKey("versions.id"), nullable=False),
        sa.Column("annotator", sa.String(120), nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("task", sa.String(16), nullable=False),
        sa.Column("method", sa.String(16), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("parent", sa.String(64), nullable=False),
        sa.Column("version_id", sa.String(64)),
        sa.Column("settings", sa.JSON, nullable=False),
        sa.Column("snapshot_sha256", sa.String(64), nullable=False),
        sa.Column("result", sa.JSON),
        sa.Column("decision", sa.String(16), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("finished_at", sa.DateTime),
    )
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER labels_no_{verb.lower()} BEFORE {verb} ON labels "
                "BEGIN SELECT RAISE(ABORT, 'labels are only ever added'); END"
            )
    else:
        op.execute(
            "CREATE FUNCTION labels_append_only() RETURNS trigger AS $$ "
            "BEGIN RAISE EXCEPTION 'labels are only ever added'; END $$ LANGUAGE plpgsql"
        )
        op.execute(
            "CREATE TRIGGER labels_append_only BEFORE UPDATE OR DELETE ON labels "
            "FOR EACH ROW EXECUTE FUNCTION labels_append_only()"
        )
