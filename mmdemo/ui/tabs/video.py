"""The Video tab: find a moment, describe each shot, search the collection."""

from __future__ import annotations

from mmdemo.ui.tabs.table import TABS, Tab
from mmdemo.ui.widgets import widget


def build() -> None:
    """Lay the tab out."""
    widget("video", "texts")


TABS.add("video", Tab("Video", 30, build))
