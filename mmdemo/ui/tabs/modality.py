"""The tab of a modality that has none of its own: align and search, on an item of one's own or a sample."""

from __future__ import annotations

from mmdemo.modality import Modality
from mmdemo.ui.widgets import widget


def build(modality: Modality) -> None:
    """Lay the tab out."""
    widget("modality", about=modality.task)
