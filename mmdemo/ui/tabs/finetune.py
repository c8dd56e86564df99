"""The Fine-tune tab: what it will train on, the run, before and after, promote or not."""

from __future__ import annotations

from mmdemo.ui.tabs.table import TABS, Tab
from mmdemo.ui.widgets import widget


def build() -> None:
    """Lay the tab out."""
    widget("finetune", "charts", "runs", "versions", "offer", "models")


TABS.add("fine-tune", Tab("Fine-tune", 200, build))
