"""The Label tab: one pair at a time, by keyboard; labels made anywhere in the page arrive here."""

from __future__ import annotations

from mmdemo.ui.tabs.table import TABS, Tab
from mmdemo.ui.widgets import widget


def build() -> None:
    """Lay the tab out."""
    widget("label", "label_parts", "label_past", "label_swipe")


TABS.add("label", Tab("Label", 100, build))
