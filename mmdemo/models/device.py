"""The one place that decides on which device and in which number format models run."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from mmdemo.errors import UserError


@dataclass(frozen=True)
class Compute:
    """A device and the format that matrix products run in; weights and results stay float32."""

    device: torch.device
    dtype: torch.dtype

    def autocast(self) -> AbstractContextManager[object]:
        """Mixed precision where the device gains from it; on a CPU nothing changes."""
        if self.dtype is torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)

    @property
    def training(self) -> Compute:
        """The same for training: gradients in float16 would underflow, so a device without bfloat16 trains in
        float32.
        """
        return Compute(self.device, torch.float32) if self.dtype is torch.float16 else self

    @property
    def fused(self) -> bool:
        """Whether an optimiser may update all weights in one kernel: three times as quick where there is
        one.
        """
        return self.device.type in {"cpu", "cuda"}

    @property
    def prepares_ahead(self) -> bool:
        """Whether threads should prepare the next batch meanwhile: not on a CPU, whose cores the network
        has.
        """
        return self.device.type != "cpu"

    @property
    def ctranslate2(self) -> dict[str, Any]:
        """The same decision in CTranslate2's words, which knows CPUs and CUDA."""
        if self.device.type != "cuda":
            return {"device": "cpu", "compute_type": "int8"}
        return {"device": "cuda", "device_index": self.device.index or 0, "compute_type": "float16"}

    def __str__(self) -> str:
        return f"{self.device} ({str(self.dtype).removeprefix('torch.')})"


def decide_compute(wanted: str = "auto", threads: int = 0) -> Compute:
    """The compute for `wanted`: auto, cpu, mps, cuda or cuda:N.

    Raises:
        UserError: the device that was asked for is not there.
    """
    if threads:
        torch.set_num_threads(threads)
    name = wanted
    if wanted == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as e:
        raise UserError(
            f"MMDEMO_DEVICE is {wanted!r}, which is no device.", "Use auto, cpu, mps, cuda or cuda:0."
        ) from e
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(
            f"MMDEMO_DEVICE is {wanted!r}, but PyTorch sees {torch.cuda.device_count()} CUDA devices.",
            "Use auto or cpu.",
        )
    if device.type == "cuda":
        if device.index is not None:
            torch.cuda.set_device(device)  # where libraries put what they are not told about
        bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        return Compute(device, torch.bfloat16 if bf16 else torch.float16)
    return Compute(device, torch.float32)


@contextmanager
def reproducible(wanted: bool) -> Iterator[None]:
    """Within this block only algorithms that give the same each time, where a device has them; else it
    warns.
    """
    if not wanted:
        yield
        return
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])


def give_back_memory(device: torch.device) -> None:
    """Return what was freed to the system. On a CPU the C library keeps it, in pieces that the next large
    tensors do not fit in: a process that embeds part after part would grow with each.
    """
    if device.type == "cuda":
        torch.cuda.empty_cache()
    if device.type == "cpu" and sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc
        if trim is not None:
            trim(0)
