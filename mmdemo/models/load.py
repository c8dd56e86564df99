"""A model from its preset: on its device or, where that fails, on the CPU; tried out before it is taken."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from mmdemo.errors import MmdemoError, UserError
from mmdemo.heavy_imports import lazy
from mmdemo.models.presets import LOADERS, Preset
from mmdemo.models.protocols import Captioner
from mmdemo.settings import Settings

if TYPE_CHECKING:
    from mmdemo.models.aligner import Towers
    from mmdemo.models.calibration import Calibration

log = logging.getLogger(__name__)
Model = TypeVar("Model")


def load_towers(preset: Preset, settings: Settings) -> tuple[Towers, str]:
    """The towers of a preset and the device in words, by its loader.

    Raises:
        UserError: they cannot be loaded, do not work, or it has none.
    """
    load = LOADERS[preset.loader].load_towers
    if load is None:
        raise UserError(f"{preset.id} is a model of {preset.task}.", "Choose one that aligns.")

    def tried(settings: Settings) -> tuple[Towers, str]:
        towers, device = load(preset, settings)
        _require_own(preset, towers)
        if not preset.media_package or not device.startswith("cpu"):  # what ships is known to work on a CPU
            lazy("mmdemo.models.try_out:try_towers")(preset, towers)
        return towers, device

    return _on_a_device_that_works(preset, settings, tried)


def _require_own(preset: Preset, towers: Towers) -> None:
    """What the media tower makes is kept by its id, and read by what the preset says.

    Raises:
        UserError: the two are not the same.
    """
    made, told = (towers.media.id, towers.media.feature_dim), (preset.media_features, preset.feature_dim)
    if made != told:
        raise UserError(
            f"The media tower of {preset.id} has the id {made[0]!r} and {made[1]} features.",
            f"Its loader must give it the id {told[0]!r} and {told[1]}, as its preset says.",
        )


def load_captioner(preset: Preset, settings: Settings) -> tuple[Captioner, str]:
    """The captioner of a preset and the device in words, by its loader.

    Raises:
        UserError: it cannot be loaded, does not work, or is none.
    """
    load = LOADERS[preset.loader].load_captioner
    if load is None:
        raise UserError(f"{preset.id} is a model of {preset.task}.", "Choose one of captioning.")

    def tried(settings: Settings) -> tuple[Captioner, str]:
        from mmdemo.models.device import decide_compute

        compute = decide_compute(settings.device, settings.threads)
        captioner = load(preset, compute)
        lazy("mmdemo.models.try_out:try_captioner")(preset, captioner)
        return captioner, str(compute)

    return _on_a_device_that_works(preset, settings, tried)


def _on_a_device_that_works(
    preset: Preset, settings: Settings, load: Callable[[Settings], tuple[Model, str]]
) -> tuple[Model, str]:
    """Load on the device that the settings name; where that fails and the CPU does not, on the CPU."""
    from mmdemo.models.device import decide_compute

    wanted = decide_compute(settings.device, settings.threads).device
    try:
        return load(settings)
    except Exception as e:
        if wanted.type == "cpu":
            raise
        try:
            model, device = load(replace(settings, device="cpu"))
        except Exception:
            raise e from None  # it is not the device
        why = _first_line(e)
        log.warning("%s does not run on %s (%s): it goes on on the CPU.", preset.id, wanted, why)
        return model, f"{device}, as {wanted} failed: {why}"


def _first_line(e: Exception) -> str:
    whole = e.what if isinstance(e, MmdemoError) else str(e)
    return (whole.strip().splitlines() or [type(e).__name__])[0].rstrip(".")


def base_calibration(preset: Preset, towers: Callable[[], Towers]) -> Calibration:
    """The base version's own calibration, where its loader tells it without loading the towers."""
    known = LOADERS[preset.loader].base_calibration
    return towers().calibration if known is None else known(preset)
