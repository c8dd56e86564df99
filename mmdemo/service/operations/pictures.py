"""What the Image tab asks."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from mmdemo.service.app import App
from mmdemo.service.operations.requests import (
    ITEM,
    VERSION,
    Lines,
    Name,
    Request,
)
from mmdemo.service.operations.table import operation


class ExplainRequest(Request):
    """A picture and captions."""

    item: Name = Field(description=ITEM)
    texts: Lines = Field(description="the captions")
    version: Name = Field("", description=VERSION)


@operation("explain", role="viewer")
def explain(app: App, request: ExplainRequest) -> dict[str, Any]:
    """Scores of captions, the two limits of their words, and where in the picture each is found (0-255, row
    by row; 255 is certain), with a sentence for each of which nothing is lit, and one on what of the file is
    not looked at.
    """
    item = app.media.item(request.item)
    version, found = app.pictures.explain(item, request.texts, request.version or None)
    maps = (found.maps * 255).astype("uint8")  # (T, h, w)
    return {
        "model": version,
        "scores": [vars(score) for score in found.scores],
        "zones": found.zones.as_json() if found.zones else None,
        "maps": [m.tolist() for m in maps],
        "notes": list(found.notes),
        "note": app.media.not_looked_at(item),
    }
