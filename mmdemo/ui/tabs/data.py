"""The Data tab: import, browse, export, back up and restore."""

from __future__ import annotations

from mmdemo.ui.widgets import widget


def build() -> None:
    """Lay the tab out."""
    widget("data")
