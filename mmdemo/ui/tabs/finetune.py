"""The Fine-tune tab: what it will train on, the run, before and after, promote or not."""

from __future__ import annotations

from mmdemo.ui.widgets import widget


def build() -> None:
    """Lay the tab out."""
    widget("finetune", "charts", "runs", "versions", "models")
