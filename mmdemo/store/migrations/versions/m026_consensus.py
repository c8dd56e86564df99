"""A pair has the verdict that most people gave, and no longer the one that was given last."""

from collections import Counter

import sqlalchemy as sa
from alembic import op

revision = "m026"
down_revision = "m025"
PASSING = "unsure"  # says nothing of a pair

SAID = """
SELECT l.pair_id, l.id, l.verdict, COALESCE(NULLIF(l.annotator, ''), l.session, '') AS whose
FROM labels l LEFT JOIN labels u ON u.undoes = l.id
WHERE l.undoes IS NULL AND u.id IS NULL AND l.pair_id IN
    (SELECT pair_id FROM labels WHERE undoes IS NULL GROUP BY pair_id HAVING COUNT(*) > 1)
ORDER BY l.id
"""


def upgrade() -> None:
    """Point pairs that several people judged at the newest label with the verdict of most of them."""
    connection = op.get_bind()
    words: dict[int, dict[str, tuple[int, str]]] = {}
    for pair, label, verdict, whose in connection.execute(sa.text(SAID)):
        words.setdefault(pair, {})[whose] = (label, verdict)
    point = sa.text("UPDATE pairs SET label_id = :label WHERE id = :pair AND label_id <> :label")
    for pair, of_people in words.items():
        said = [word for word in of_people.values() if word[1] != PASSING] or list(of_people.values())
        people = Counter(verdict for _, verdict in said)
        label = max((people[verdict], label) for label, verdict in said)[1]
        connection.execute(point, {"label": label, "pair": pair})
