"""The Fine-tune tab: what it learns from, the run, old and new, promote or not."""

from __future__ import annotations

from mmdemo.ui.tabs.table import TABS, Tab
from mmdemo.ui.widgets import widget


def build() -> None:
    """Lay the tab out."""
    scripts = (
        "charts",
        "figures",
        "verdict",
        "same_question",
        "runs",
        "versions",
        "offer",
        "models",
        "beginning",
    )
    widget("finetune", *scripts)


TABS.add("fine-tune", Tab("Fine-tune", 200, build))
