"""The Map tab: the whole collection as points, alike ones near each other."""

from __future__ import annotations

from mmdemo.ui.tabs.table import TABS, Tab
from mmdemo.ui.widgets import widget


def build() -> None:
    """Lay the tab out."""
    widget("map", "bulk_does", "map_words", "map_points", "map_canvas", "map_pick", "map_side")


TABS.add("map", Tab("Map", 300, build))
