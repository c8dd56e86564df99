"""How large a file may be that somebody brings, by who brings it: of strangers less is taken."""

from __future__ import annotations

from dataclasses import replace

from mmdemo.asker import current
from mmdemo.settings import Settings


def bounds(settings: Settings) -> Settings:
    """The settings with the limits of who is asking. What is in the collection keeps the general ones."""
    if current().may("annotator"):
        return settings
    return replace(
        settings,
        max_megapixels=min(settings.max_megapixels, settings.visitor_megapixels),
        max_hours=min(settings.max_hours, settings.visitor_hours),
    )
