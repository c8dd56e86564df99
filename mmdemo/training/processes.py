"""Several processes that learn together: the share of each, and how shares come together again.

Shares are neighbours: put one after another in the order of the processes they are the whole. They differ in
length where the whole cannot be divided, and the last may be empty; nothing is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor, distributed

One = TypeVar("One")


def process_count() -> int:
    """How many learn together; 1: this one alone."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def share_of(whole: Sequence[One]) -> Sequence[One]:
    """What this process takes of the whole."""
    count = process_count()
    each = -(-len(whole) // count)
    first = each * (distributed.get_rank() if count > 1 else 0)
    return whole[first : first + each]


def lengths_of(share: int) -> list[int]:
    """How long the share of each process is, by the length of this one's."""
    if process_count() == 1:
        return [share]
    own = torch.tensor([share], device=_device())
    every = [torch.zeros_like(own) for _ in range(process_count())]
    distributed.all_gather(every, own)
    return [int(n) for n in every]


def joined(share: Tensor, lengths: Sequence[int]) -> Tensor:
    """(N, ...) the shares of all processes; gradients flow back to each one's.

    Args:
        share: (K, ...) of this process, K the longest of the lengths: what is behind its own length is left
            out, and gets no gradient.
        lengths: of each process's share; they sum to N.
    """
    if len(lengths) == 1:
        return share
    from torch.distributed.nn.functional import all_gather

    return torch.cat([part[:n] for part, n in zip(all_gather(share), lengths, strict=True)])


def rows_of_all(share: Tensor) -> Tensor:
    """(N, ...) on the CPU, without gradients, of the (K, ...) shares of all processes."""
    lengths = lengths_of(len(share))
    if len(lengths) == 1:
        return share.cpu()
    whole = share.new_zeros((max(lengths), *share.shape[1:]), device=_device())
    whole[: len(share)] = share
    every = [torch.zeros_like(whole) for _ in lengths]
    distributed.all_gather(every, whole)
    return torch.cat([part[:n] for part, n in zip(every, lengths, strict=True)]).cpu()


def summed(values: Sequence[float]) -> list[float]:
    """Each of some numbers summed over all processes."""
    if process_count() == 1:
        return list(values)
    total = torch.tensor(list(values), dtype=torch.float64, device=_device())
    distributed.all_reduce(total)
    return [float(v) for v in total]


def agreed(value: float) -> float:
    """A number as the first process has it, so that all decide alike by it."""
    if process_count() == 1:
        return value
    told = torch.tensor([value], dtype=torch.float64, device=_device())
    distributed.broadcast(told, 0)
    return float(told)


def _device() -> torch.device:
    """Where tensors lie that processes exchange."""
    return torch.device("cuda" if distributed.get_backend() == "nccl" else "cpu")
