"""Memory: what a model needs, what is free on the device, and how busy the device is.

PyTorch is imported only by what asks about the device: what a model needs is asked before the page answers.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdemo.errors import UserError
from mmdemo.media.regular_file import is_folder
from mmdemo.models.hub.local_cache import cached_bytes
from mmdemo.models.presets import Preset
from mmdemo.settings import Settings

if TYPE_CHECKING:
    from mmdemo.models.device import Compute

CONTAINER = Path("/sys/fs/cgroup")  # where Linux says what a container may take (cgroup v2)
ROOM = 1.3  # times the weights: what loading them takes at its height, since they are read by memory map


def weights_mb(preset: Preset) -> int:
    """The size of its weights; 0: not known before they are downloaded."""
    folder = _folder(preset)
    if folder is not None:
        return sum(f.stat().st_size for f in folder.glob("*.safetensors")) // 1_000_000
    return preset.size_mb or cached_bytes(preset) // 1_000_000


def memory_mb(preset: Preset) -> int:
    """What loading it in float32 takes at its height; 0: not known before it is downloaded."""
    return round(ROOM * loaded_mb(preset))


def loaded_mb(preset: Preset) -> int:
    """What it takes once it is loaded in float32; 0: not known before it is downloaded."""
    folder = _folder(preset)
    halved = _is_halved(folder) if folder is not None else preset.halved
    return weights_mb(preset) * (2 if halved else 1)


def models_mb(settings: Settings) -> int:
    """What the loaded models may need together."""
    return settings.model_memory_mb or _memory(_compute(settings))[1] // 2_000_000


def models_mb_of_machine(settings: Settings) -> int:
    """The same on the machine's own memory, whatever device there is."""
    return settings.model_memory_mb or _machine()[1] // 2_000_000


def _compute(settings: Settings) -> Compute:
    from mmdemo.models.device import decide_compute

    return decide_compute(settings.device, settings.threads)


def _folder(preset: Preset) -> Path | None:
    """The folder that it is loaded from; one that names no weights is not the current folder's."""
    folder = Path(preset.media_tower)
    return folder if preset.media_tower and is_folder(folder) else None


def _is_halved(folder: Path) -> bool:
    """Whether the weights in a folder are 16 bits a number."""
    from safetensors import SafetensorError, safe_open

    try:
        for path in sorted(folder.glob("*.safetensors"))[:1]:
            with safe_open(path, "pt") as weights:
                return weights.get_slice(next(iter(weights.keys()))).get_dtype() in {"F16", "BF16"}
    except (SafetensorError, OSError, StopIteration):
        return False  # whoever loads it says what is wrong with it
    return False


def _memory(compute: Compute) -> tuple[int, int]:
    """Bytes that are free on the device, and in all."""
    if compute.device.type == "cuda":
        import torch

        free, total = torch.cuda.mem_get_info(compute.device)
        return int(free), int(total)
    return _machine()


def _machine() -> tuple[int, int]:
    """Bytes of the machine, or of the container, that are free, and in all."""
    import psutil

    found = psutil.virtual_memory()
    free, total = int(found.available), int(found.total)
    limit, used = _container(CONTAINER)
    return (min(free, max(0, limit - used)), min(total, limit)) if limit else (free, total)


def _container(folder: Path) -> tuple[int, int]:
    """The bytes that a container may take, 0 where it may take all of the machine, and those it has taken."""
    try:
        limit = (folder / "memory.max").read_text().strip()
        if limit == "max":
            return 0, 0
        rows = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        used = int((folder / "memory.current").read_text()) - int(rows["inactive_file"])  # which can go
        return int(limit), used
    except (OSError, ValueError, KeyError):  # no Linux, or not told
        return 0, 0


def free_mb(compute: Compute) -> int:
    """The memory that is free on the device."""
    return _memory(compute)[0] // 1_000_000


def free_memory_mb(settings: Settings) -> int:
    """The memory that is free on the device of the settings."""
    return free_mb(_compute(settings))


def require_room(preset: Preset, settings: Settings) -> None:
    """Refuse a model that does not fit, before anything is loaded.

    Raises:
        UserError: how much it needs, and how much there is.
    """
    compute = _compute(settings)
    needed, free = memory_mb(preset), free_mb(compute)
    if needed > free:
        raise UserError(
            f"{preset.id} needs about {needed} MB of memory and {compute.device} has {free} MB free.",
            "Choose a smaller model, or close other programs.",
        )


def device_facts(settings: Settings) -> dict[str, Any]:
    """What computes here: its name, memory in MB used and in all, and how busy it is in percent."""
    import psutil
    import torch

    compute = _compute(settings)
    free, total = _memory(compute)
    busy: float | None
    if compute.device.type == "cuda":
        name = torch.cuda.get_device_name(compute.device)
        try:
            busy = float(torch.cuda.utilization(compute.device))
        except (ModuleNotFoundError, RuntimeError):  # NVIDIA's management library is not installed
            busy = None
    else:
        threads = torch.get_num_threads()
        busy, name = psutil.cpu_percent(), f"{compute.device}, {threads} thread{'' if threads == 1 else 's'}"
    number_format = str(compute.dtype).removeprefix("torch.")
    sizes = {"used_mb": (total - free) // 1_000_000, "total_mb": total // 1_000_000}
    return {"name": name, "format": number_format, "busy": busy} | sizes
