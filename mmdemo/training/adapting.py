"""How the weights of a network learn: all of them, or thin matrices beside some (LoRA).

By LoRA (Hu et al. 2021, arXiv:2106.09685) the weights stay; beside the query and value projections of every
attention a product of two thin matrices learns, and parts that nobody has trained before, such as the
projections that join two backbones, learn whole and are kept with them. In full all weights learn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from mmdemo.heavy_imports import heavy
from mmdemo.models.device import Compute
from mmdemo.models.hub.loading import load_adapter

RANK, ALPHA = 16, 32  # of the thin matrices, and their weight
TARGETS = r".*\.(q_proj|v_proj|query|value|qkv)"  # the queries and values of every family's attention


@dataclass(frozen=True)
class Method:
    """How a network learns."""

    name: str  # lora or full
    seed: int = 0  # of the thin matrices' first values
    adapter: str = ""  # a folder of LoRA weights to go on from
    recompute: bool = False  # whether activations are computed again on any device

    @property
    def merged(self) -> str:
        """The adapter that is part of the network from the beginning, in full training."""
        return self.adapter if self.name == "full" else ""


def let_learn(network: Any, how: Method, compute: Compute) -> Any:
    """The network on its device, with the parameters of a method requiring gradients.

    On a GPU, or where it is asked for, activations are not kept for the backward pass but computed again
    (Chen et al. 2016, arXiv:1604.06174): less memory, a third more time.
    """
    torch.manual_seed(how.seed)
    if (how.recompute or compute.device.type == "cuda") and network.supports_gradient_checkpointing:
        network.activation_checkpointing_enable()
    if how.name == "full":
        return network.requires_grad_(True).to(compute.device)
    peft = heavy("peft")
    if how.adapter:
        return load_adapter(network, how.adapter, is_trainable=True).to(compute.device)
    shape = peft.LoraConfig(
        r=RANK,
        lora_alpha=ALPHA,
        lora_dropout=0.05,
        target_modules=TARGETS,
        modules_to_save=getattr(network, "new_parts", None),
    )
    return peft.get_peft_model(network, shape).to(compute.device)
