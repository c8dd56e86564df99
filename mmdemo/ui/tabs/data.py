"""The Data tab: import, browse, export, back up and restore."""

from __future__ import annotations

from mmdemo.ui.tabs.table import TABS, Tab
from mmdemo.ui.widgets import widget


def build() -> None:
    """Lay the tab out."""
    widget("data", "collection", "preview")


TABS.add("data", Tab("Data", 310, build))
