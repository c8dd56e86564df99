"""Whether weights are those of the network that a configuration beside them describes, asked before that
network takes memory: a version's folder may have come with a backup, in which 80 bytes ask for gigabytes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import safe_open
from torch import nn


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
        ValueError: the first tensor that is not as the network has it.
        OSError, SafetensorError: the file cannot be read.
    """
    found = shapes_in(file)
    with torch.device("meta"):
        wanted = {name: tuple(tensor.shape) for name, tensor in make().state_dict().items()}
    for name in sorted({*wanted, *found}):
        if wanted.get(name) != found.get(name):
            has, needs = (_words(shapes.get(name)) for shapes in (found, wanted))
            raise ValueError(f"{name[:100]} is {has} in {file.name}, and {needs} by what stands beside it")


def _words(shape: tuple[int, ...] | None) -> str:
    return "not there" if shape is None else "x".join(map(str, shape)) or "one number"
