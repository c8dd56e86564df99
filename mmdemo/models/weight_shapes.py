"""Whether weights are those of the network that a configuration beside them describes, asked before that
network takes memory: a version's folder may have come with a backup, in which 80 bytes ask for gigabytes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from mmdemo.errors import StorageError, reason


def shapes_in(file: Path) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor in a safetensors file, by its header, which is held against the file's length.

    Raises:
        OSError, SafetensorError: it cannot be read.
    """
    with safe_open(file, framework="pt") as opened:
        return {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118


def require_shapes(make: Callable[[], nn.Module], file: Path) -> None:
    """Refuse weights that have other tensors than a network.

    Args:
        make: makes the network; it is called where tensors have shapes and no memory.
        file: the weights, as safetensors.

    Raises:
        StorageError: the first tensor that is not as the network has it, or what cannot be read or made.
    """
    try:
        found = shapes_in(file)
        with torch.device("meta"):
            wanted = {name: tuple(tensor.shape) for name, tensor in make().state_dict().items()}
    except (OSError, ValueError, TypeError, RuntimeError, SafetensorError) as e:
        raise StorageError(f"The weights in {file.parent.name} do not fit: {reason(e)[:300]}") from e
    for name in sorted({*wanted, *found}):
        if wanted.get(name) != found.get(name):
            has, needs = (_words(shapes.get(name)) for shapes in (found, wanted))
            told = f"{name[:100]} is {has} in {file.name}, and {needs} by what stands beside it"
            raise StorageError(f"The weights in {file.parent.name} do not fit: {told}.")


def _words(shape: tuple[int, ...] | None) -> str:
    return "not there" if shape is None else "x".join(map(str, shape)) or "one number"
