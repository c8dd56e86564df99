"""mmdemo: see how well images, speech and video align with text, say where the model is wrong, watch it
get better.

    from mmdemo import App, load_settings
    app = App(load_settings(workspace="my-workspace"))

Imports run downwards only, and tests/test_layers.py reads this:
command_line > ui > service > modalities > training > evaluation > labeling >
retrieval > data > models > store > media > modality, label_kinds > registry, heavy_imports, bounds, places >
settings > finite, records > errors, asker
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.3.0"
__all__ = ["App", "Workspace", "load_aligner", "load_settings"]

if TYPE_CHECKING:
    from mmdemo.models.aligner import HeadAligner
    from mmdemo.service.app import App
    from mmdemo.settings import load_settings
    from mmdemo.store.workspace import Workspace


def load_aligner(version: str | None = None, task: str = "image-text", **settings: Any) -> HeadAligner:
    """The aligner of a version, by default the workspace's active one.

    Args:
        version: its id; see `mmdemo models`.
        task: image-text, speech-text or video-text.
        settings: those of `mmdemo.settings.Settings` that should differ, such as workspace or device.
    """
    from mmdemo.service.app import App
    from mmdemo.service.context import check_task
    from mmdemo.settings import load_settings

    return App(load_settings(**settings)).models.aligner(check_task(task), version)


def __getattr__(name: str) -> Any:
    """Import the heavier names when they are asked for."""
    if name == "App":
        from mmdemo.service.app import App

        return App
    if name == "Workspace":
        from mmdemo.store.workspace import Workspace

        return Workspace
    if name == "load_settings":
        from mmdemo.settings import load_settings

        return load_settings
    raise AttributeError(f"module mmdemo has no attribute {name!r}")
