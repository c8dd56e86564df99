"""The Speech tab: transcribe, align word by word, and search, on a recording of one's own or a sample."""

from __future__ import annotations

from mmdemo.ui.tabs.table import TABS, Tab
from mmdemo.ui.widgets import widget


def build() -> None:
    """Lay the tab out."""
    widget("speech", "texts")


TABS.add("speech", Tab("Speech", 20, build))
