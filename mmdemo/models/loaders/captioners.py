"""Captioners of transformers: BLIP, GIT and vision-language models."""

from __future__ import annotations

from mmdemo.heavy_imports import lazy
from mmdemo.models.hub.local_cache import hub_repositories
from mmdemo.models.presets import LOADERS, Described, Loader

CAPTIONERS = "mmdemo.models.captioning.transformers"

LOADERS.add(
    "captioner",
    Loader(
        "captioner",
        "captioning",
        load_captioner=lazy(f"{CAPTIONERS}:open_preset"),
        heads=(),
        methods=("lora", "full"),
        recipe="captions",
        save_network=lazy(f"{CAPTIONERS}:save_network"),
        repositories=hub_repositories,
        describe=lambda model: Described(),
        own_texts=True,
        other_types=True,
    ),
)
