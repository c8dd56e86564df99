"""Which base version a new workspace begins with where nobody names one: the best that is on this machine.

Models of a task are ordered by one figure that others published of each (see catalogue.py). Nothing here
imports PyTorch: it is asked before the page answers.
"""

from __future__ import annotations

import logging
from collections.abc import Collection

from mmdemo.modality import Modality
from mmdemo.models.hub.local_cache import damage, is_local
from mmdemo.models.memory import memory_mb, models_mb_of_machine
from mmdemo.models.presets import LOADERS, PRESETS, Preset
from mmdemo.settings import Settings

log = logging.getLogger(__name__)


def better_than(task: str, published: float = 0.0) -> list[Preset]:
    """The models of a task whose published figure is above another, the best first."""
    found = [preset for preset in PRESETS.values() if preset.task == task and preset.published > published]
    return sorted(found, key=lambda preset: -preset.published)


def begin_with(modality: Modality, settings: Settings, but: Collection[str] = ()) -> str:
    """The preset that a task begins with: the best that is downloaded, whole and fits in the memory for
    models, else the one that ships.

    A recogniser of speech is not begun with, only offered: how likely it is that a text was said comes from a
    fit that was measured on the one that ships.

    Args:
        modality: the task's.
        settings: the memory for models.
        but: presets that are not to be taken.
    """
    for preset in better_than(modality.task):
        if preset.name in but or LOADERS[preset.loader].gives_evidence or not is_local(preset):
            continue
        if memory_mb(preset) > models_mb_of_machine(settings):
            continue
        if wrong := damage(preset):
            log.warning("%s was downloaded and is passed over: %s", preset.id, wrong)
            continue
        return preset.name
    return modality.default_model
