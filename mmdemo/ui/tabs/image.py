"""The Image tab: align, caption and search, on a picture of one's own or from the samples."""

from __future__ import annotations

from mmdemo.ui.tabs.table import TABS, Tab
from mmdemo.ui.widgets import widget


def build() -> None:
    """Lay the tab out."""
    widget("image", "light", "texts", "caption", "facets", "bulk_does", "bulk", "search", "saved", "stronger")


TABS.add("image", Tab("Image", 10, build))
