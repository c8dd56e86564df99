"""What is on this machine already: which models need no download."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from mmdemo.errors import UserError
from mmdemo.media.regular_file import is_folder
from mmdemo.models.hub.checkpoint_files import WEIGHTS, require_weights
from mmdemo.models.presets import LOADERS, Preset, Repository, split_revision

WANTED = (  # of a repository; never a pickle, never code
    "*.json",
    "*.txt",
    "*.jinja",
    "*.model",
    "model.safetensors",
    "model-*-of-*.safetensors",
)


def repositories(preset: Preset) -> list[Repository]:
    """What a preset is loaded from on the Hub; empty: nothing."""
    return LOADERS[preset.loader].repositories(preset) if preset.revision else []


def hub_repositories(preset: Preset) -> list[Repository]:
    """The repository of a model of transformers, or of each of two towers."""
    parts = preset.media_tower.split("+")
    found = [part for part in parts if "/" in part and ":" not in part and not is_folder(part)]
    return [Repository(part, WANTED) for part in found]


def is_local(preset: Preset) -> bool:
    """Whether a model can be loaded without a network."""
    if preset.media_package:
        return importlib.util.find_spec(preset.media_package) is not None
    return all(is_cached(one.name, one.weights) for one in repositories(preset))


def damage(preset: Preset) -> str:
    """What is wrong with the downloaded files of a model, in a sentence; empty: nothing that the beginnings
    of its weights and its configuration tell.
    """
    for one in repositories(preset):
        config = _cached(one.name, "config.json")
        if config is None:
            return f"{one.name} has no config.json."
        try:
            if one.weights == WEIGHTS:
                require_weights(config.parent)
        except UserError as e:
            return e.what
    return ""


def cached_bytes(preset: Preset) -> int:
    """The size of its weights as far as they were downloaded."""
    total = 0
    for one in repositories(preset):
        config = _cached(one.name, "config.json")
        if config is not None:
            total += sum(f.stat().st_size for f in config.parent.glob(f"*{Path(one.weights).suffix}"))
    return total


def is_cached(name: str, file: str) -> bool:
    """Whether a file of a Hub repository is on this machine, whole; or the index of one in several parts."""
    return any(_cached(name, one) is not None for one in (file, f"{file}.index.json"))


def _cached(name: str, file: str) -> Path | None:
    """Where a file of a Hub repository is on this machine; of a name that none can have, nowhere."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    repo, how = split_revision(name)
    try:
        found = try_to_load_from_cache(repo, file, **how)
    except HFValidationError:
        return None
    return Path(found) if isinstance(found, str) else None
