"""What is on this machine already: which models need no download."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from mmdemo.models.presets import Preset, split_revision

WANTED = [  # of a repository; never a pickle, never code
    "*.json",
    "*.txt",
    "*.jinja",
    "*.model",
    "model.safetensors",
    "model-*-of-*.safetensors",
]
CTRANSLATE2 = ["model.bin", "*.json", "*.txt"]  # of faster-whisper's repositories


def repositories(preset: Preset) -> list[tuple[str, list[str]]]:
    """What a preset is loaded from on the Hub, each a name and the files it needs; empty: nothing."""
    if preset.loader == "wheel" or preset.scratch or Path(preset.media_tower).is_dir():
        return []
    if preset.loader == "faster-whisper":
        from faster_whisper.utils import _MODELS

        return [(_MODELS[preset.media_tower], CTRANSLATE2)]
    parts = preset.media_tower.split("+")
    return [(part, WANTED) for part in parts if "/" in part and ":" not in part and not Path(part).is_dir()]


def is_at_hand(preset: Preset) -> bool:
    """Whether a model can be loaded without a network."""
    if preset.loader == "wheel":
        return importlib.util.find_spec(preset.media_package) is not None
    return all(
        is_cached(name, "model.bin" if files is CTRANSLATE2 else "model.safetensors")
        for name, files in repositories(preset)
    )


def is_cached(name: str, file: str) -> bool:
    """Whether a file of a Hub repository is on this machine, whole; or the index of one in several parts."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    repo, how = split_revision(name)
    try:
        files = file, f"{file}.index.json"
        return any(isinstance(try_to_load_from_cache(repo, one, **how), str) for one in files)
    except HFValidationError:
        return False
