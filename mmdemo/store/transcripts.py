"""Transcripts in the database: made once by each version, kept while they grow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from mmdemo.store.database import Database, in_parts
from mmdemo.store.items import is_gone
from mmdemo.store.tables import Transcript, now
from mmdemo.store.words import SAID, put_in


class TranscriptStore:
    """What recognisers heard, by item and version."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, item_id: str, version_id: str) -> Transcript | None:
        """The transcript of an item by a version, perhaps an unfinished one."""
        with self._database.read() as session:
            return session.get(Transcript, (item_id, version_id))

    def of_items(self, ids: Sequence[str]) -> dict[str, list[Transcript]]:
        """The finished transcripts of items, by whichever versions."""
        found: dict[str, list[Transcript]] = {}
        with self._database.read() as session:
            for part in in_parts(ids):
                query = select(Transcript).where(Transcript.item_id.in_(part))
                for row in session.scalars(query.where(Transcript.complete)):
                    found.setdefault(row.item_id, []).append(row)
        return found

    def put(
        self,
        item_id: str,
        version_id: str,
        language: str,
        segments: list[dict[str, Any]],
        done_s: float,
        complete: bool,
    ) -> None:
        """Keep a transcript in the place of the one before it; none of an item that was removed meanwhile."""
        with self._database.write() as session:
            if is_gone(session, item_id):
                return
            session.merge(
                Transcript(
                    item_id=item_id,
                    version_id=version_id,
                    language=language,
                    segments=segments,
                    done_s=done_s,
                    complete=complete,
                    created_at=now(),
                )
            )
            put_in(session, item_id, SAID, version_id, " ".join(s["text"] for s in segments))
