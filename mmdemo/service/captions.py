"""Captions as pages and programs get them: each with how often people agreed with such, and a sentence where
there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mmdemo.label_kinds import training_of
from mmdemo.store.workspace import Workspace

if TYPE_CHECKING:
    from mmdemo.models.captioning.agreement import Agreed
    from mmdemo.models.protocols import Caption

CAPTION = "caption"  # the origin of labels on proposals
COUNTED = frozenset({"class", "kind", "thing"})  # sources of which agreement is counted, as of what ships


class CaptionCounts:
    """How often people agreed with captions that claim as much, by the shipped count and the labels here."""

    def __init__(self, ws: Workspace, task: str) -> None:
        from mmdemo.models.captioning.agreement import count, together
        from mmdemo.models.captioning.seen import shipped

        meanings = ((said, training_of(verdict)) for said, verdict in ws.labels.on_claims(task, CAPTION))
        own = count(
            (said, meaning == "positive") for said, meaning in meanings if meaning in {"positive", "negative"}
        )
        self.own: Sequence[Agreed] = own  # what people here said
        self.together: Sequence[Agreed] = together(shipped().agreed, own)

    def row(self, caption: Caption, start: float | None = None, end: float | None = None) -> dict[str, Any]:
        """The JSON of one caption, of a medium or of a span of it in seconds."""
        from mmdemo.models.captioning.agreement import kind_of
        from mmdemo.models.captioning.proposals import how_sure

        like = self.together[kind_of(caption.score)] if caption.source in COUNTED else None
        return {
            "text": caption.text,
            "score": caption.score,
            "start": start,
            "end": end,
            "source": caption.source,
            "sure": how_sure(caption.score),
            "agreed": like.right if like else None,
            "judged": like.of if like else None,
            "like_this": like.sentence if like else "",
        }


def answer(version: str, rows: list[dict[str, Any]], none: str = "", **more: Any) -> dict[str, Any]:
    """The JSON of `caption`; where there is no caption it says why: by default that nothing is certain."""
    from mmdemo.models.captioning.proposals import NONE_FITS

    return {"model": version, "captions": rows} | more | {"note": "" if rows else none or NONE_FITS}
