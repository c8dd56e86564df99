"""Two networks with one shared space: of transformers, or two towers joined; for pictures, sounds and the
frames of videos. They come from the Hub or a folder, and learn from pairs.
"""

from __future__ import annotations

from functools import partial

from mmdemo.heavy_imports import lazy
from mmdemo.models.hub.local_cache import hub_repositories
from mmdemo.models.presets import LOADERS, Loader
from mmdemo.models.protocols import ModalityName, Task

DUAL = "mmdemo.models.encoders.dual"
CLIPS = "mmdemo.models.encoders.video_clips"
VIDEO = "mmdemo.models.video.loading"
PAIR = "towers"  # what stands for a `model_type`, of two towers joined


def _encoders(
    name: str, task: Task, modality: ModalityName, *config_types: str, other_types: bool = False
) -> Loader:
    return Loader(
        name,
        task,
        load_towers=lazy(f"{DUAL}:load_towers"),
        base_calibration=lazy(f"{DUAL}:base_calibration"),
        heads=("residual", "concatenation", "cross-attention"),
        methods=("head", "lora", "full"),
        recipe="pairs",
        open_encoder=lazy(f"{DUAL}:open_preset"),
        save_network=lazy(f"{DUAL}:save_network"),
        repositories=hub_repositories,
        describe=partial(lazy(f"{DUAL}:describe"), modality),
        own_texts=True,
        config_types=config_types,
        other_types=other_types,
    )


for loader in (
    _encoders("dual", "image-text", "image", other_types=True),
    _encoders("towers", "image-text", "image", PAIR),
    _encoders("sound-towers", "speech-text", "audio", PAIR),
    Loader(
        "frames",
        "video-text",
        load_towers=lazy(f"{VIDEO}:encoder_towers"),
        base_calibration=lazy(f"{VIDEO}:encoder_calibration"),
        make_aligner=lazy("mmdemo.models.video.aligner:VideoAligner"),
        heads=("residual", "temporal"),
        methods=("head", "lora", "full"),
        recipe="pairs",
        open_encoder=lazy(f"{CLIPS}:open_preset"),
        save_network=lazy(f"{CLIPS}:save_network"),
        repositories=hub_repositories,
        describe=lazy(f"{CLIPS}:describe"),
        own_texts=True,
        other_types=True,
    ),
    _encoders("sounds", "speech-text", "audio", "clap"),
):
    LOADERS.add(loader.name, loader)
