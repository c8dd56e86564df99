"""Time series with text for mmdemo: four rows in its tables, added when it looks for plug-ins."""

from __future__ import annotations

from dataclasses import replace

from mmdemo.data.importers.base import IMPORTERS
from mmdemo.heavy_imports import lazy
from mmdemo.modality import MODALITIES, Modality
from mmdemo.models.presets import LOADERS, PRESETS, TEXT_DIM, Loader, Preset
from series_text.ucr import UcrArchive

TASK, MODEL = "series-text", "series-statistics"
STATES = 64 + 32 + 9  # features beside the untrained vector: the shape, the spectrum, the statistics


def register() -> None:
    """Called once by mmdemo; PyTorch is imported only when a tower is asked for."""
    MODALITIES.add(
        "series",
        Modality(
            name="series",
            task=TASK,
            noun="series",
            plural="series",
            title="Series",
            default_model=MODEL,
            suffixes=frozenset([".series.csv", ".series.tsv"]),
            describe=lazy("series_text.series:describe"),
            decode=lazy("series_text.series:decode"),
            draw=lazy("series_text.series:draw"),
        ),
    )
    LOADERS.add(
        MODEL,
        Loader(
            MODEL,
            TASK,
            load_towers=lazy("series_text.tower:load_towers"),
            base_calibration=lazy("series_text.tower:base_calibration"),
            heads=("residual", "concatenation"),
        ),
    )
    about = "Trend, waves, noise, steps and spikes, put into words. The default."
    preset = Preset(MODEL, TASK, "Statistics and MiniLM", MODEL, "Apache-2.0", about, 90, loader=MODEL)
    PRESETS.add(MODEL, replace(preset, media_package="series_text", feature_dim=TEXT_DIM + STATES))
    IMPORTERS.add(UcrArchive.name, UcrArchive())
