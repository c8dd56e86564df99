"""The default models of pictures and videos, EfficientNet and MiniLM, whose weights come out of installed
packages.
"""

from __future__ import annotations

from mmdemo.heavy_imports import lazy
from mmdemo.models.presets import LOADERS, Loader

ENCODERS = "mmdemo.models.encoders.efficientnet_minilm"
VIDEO = "mmdemo.models.video.loading"

for loader in (
    Loader(
        "efficientnet-minilm",
        "image-text",
        load_towers=lazy(f"{ENCODERS}:load_towers"),
        base_calibration=lazy(f"{ENCODERS}:base_calibration"),
        heads=("residual", "concatenation", "cross-attention"),
    ),
    Loader(
        "efficientnet-minilm-frames",
        "video-text",
        load_towers=lazy(f"{VIDEO}:bundled_towers"),
        base_calibration=lazy(f"{VIDEO}:bundled_calibration"),
        make_aligner=lazy("mmdemo.models.video.aligner:VideoAligner"),
        heads=("residual", "temporal"),
    ),
):
    LOADERS.add(loader.name, loader)
