"""One training by several processes, on one machine or several, as `accelerate launch` starts them.

The first process creates the run and carries it out as always; the others learn with it step by step and
write nothing. All of them open the same workspace, so on several machines it lies on a shared drive.
"""

from __future__ import annotations

from collections.abc import Callable

from mmdemo.errors import MmdemoError, UserError
from mmdemo.heavy_imports import heavy
from mmdemo.models.device import decide_compute
from mmdemo.settings import Settings
from mmdemo.training.trainer import make_accelerator


def meet(settings: Settings, method: str, create: Callable[[], str]) -> tuple[str, bool]:
    """Agree on the run: the first process creates it; returns its id, and whether this is the first.

    Args:
        settings: on which device.
        method: lora or full.
        create: makes the run.

    Raises:
        UserError: the run cannot be made, or its method gains nothing by several processes.
    """
    if method == "head":
        raise UserError(
            "A head learns from cached features in seconds.",
            "Train it by one process, or --method lora or full.",
        )
    accelerator = make_accelerator(decide_compute(settings.device, settings.threads).training)
    first = bool(accelerator.is_main_process)
    told = ["", ""]
    if first:
        try:
            told = [create(), ""]
        except MmdemoError as e:
            told = ["", str(e)]
    heavy("accelerate.utils").broadcast_object_list(told)
    if told[1]:
        raise UserError(told[1])
    return told[0], first
