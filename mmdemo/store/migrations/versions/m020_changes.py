"""What an import brought is known, and what is removed, hidden or edited, by whom and when."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "m020"
down_revision = "m019"
# The sources of pairs that people or models made here, and of files that were brought one by one.
NO_IMPORT = "upload hard-negative search caption align moment span transcribe label api".split()  # noqa: SIM905
TASKS = {"audio": "speech-text"}  # of others it is called by the modality


def upgrade() -> None:
    """Add a table, and to items and pairs what they say of it; each source of before is an import."""
    op.add_column("imports", sa.Column("person", sa.String(120), nullable=False, server_default=""))
    op.create_table(
        "changes",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("person", sa.String(120), nullable=False),
        sa.Column("details", sa.JSON, nullable=False),
        sa.Column("done", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
    )
    for table in ("items", "pairs"):
        op.add_column(table, sa.Column("hidden", sa.Boolean, nullable=False, server_default=sa.false()))
        op.add_column(table, sa.Column("import_id", sa.String(16)))
        op.add_column(table, sa.Column("removed_id", sa.Integer))
        for name in ("import_id", "removed_id"):
            op.create_index(f"ix_{table}_{name}", table, [name])
    op.create_index("ix_changes_done", "changes", ["done"])
    _name_imports()


def _name_imports() -> None:
    """An import for each task and source that items came with, which brought them and the pairs."""
    connection = op.get_bind()
    names = ("id", "name", "task", "done", "mark", "person")
    times = (sa.column(name, sa.DateTime) for name in ("created_at", "ended_at"))
    imports = sa.table("imports", *map(sa.column, names), sa.column("counts", sa.JSON), *times)
    created = sa.column("created_at", sa.DateTime)
    items = sa.table("items", *map(sa.column, ("id", "modality", "source", "listed", "import_id")), created)
    pairs = sa.table("pairs", *map(sa.column, ("item_id", "source", "task", "import_id")))
    here = connection.execute(sa.select(imports.c.task, imports.c.name, imports.c.id)).all()
    known = {(task, name): number for task, name, number in here}

    def import_of(task: str, source: str, begun: object) -> str:
        if (task, source) not in known:
            number = known[task, source] = secrets.token_hex(8)
            row: dict[str, object] = {
                "id": number,
                "name": source,
                "task": task,
                "done": 0,
                "mark": "",
                "person": "",
            }
            row |= {"created_at": begun, "ended_at": begun, "counts": {}}
            connection.execute(sa.insert(imports).values(**row))
        return known[task, source]

    came = sa.select(pairs.c.task, pairs.c.source, sa.func.min(items.c.created_at))
    came = came.join(items, items.c.id == pairs.c.item_id).where(pairs.c.source.not_in(NO_IMPORT))
    for task, source, begun in connection.execute(came.group_by(pairs.c.task, pairs.c.source)).all():
        own = (pairs.c.task == task) & (pairs.c.source == source)
        connection.execute(sa.update(pairs).where(own).values(import_id=import_of(task, source, begun)))
    came = sa.select(items.c.modality, items.c.source, sa.func.min(items.c.created_at))
    came = came.where(items.c.listed, items.c.source.not_in(NO_IMPORT))
    for modality, source, begun in connection.execute(came.group_by(items.c.modality, items.c.source)).all():
        task = TASKS.get(modality, f"{modality}-text")
        own = items.c.listed & (items.c.modality == modality) & (items.c.source == source)
        connection.execute(sa.update(items).where(own).values(import_id=import_of(task, source, begun)))
