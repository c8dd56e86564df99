"""CUDA's matrix library for CTranslate2, whose wheels are made for CUDA 12 while PyTorch's are for CUDA 13.

CTranslate2 opens libcublas.so.12 by its name when it first multiplies on a GPU. The wheel nvidia-cublas-cu12
has it, in a folder that no loader looks into; a library that is in the process already is found by name. Its
symbols stay its own: PyTorch must not be bound to them in the place of those of CUDA 13.
"""

from __future__ import annotations

import ctypes
import importlib.util
import logging
from pathlib import Path

log = logging.getLogger(__name__)
LIBRARIES = ("libcublasLt.so.12", "libcublas.so.12")  # the first is what the second needs


def preload_cublas() -> bool:
    """Bring the library into this process; returns whether it is there. On a CPU nobody needs it."""
    found = importlib.util.find_spec("nvidia.cublas")
    folders = [Path(f) / "lib" for f in (found.submodule_search_locations or ())] if found else []
    for folder in folders:
        if all((folder / name).is_file() for name in LIBRARIES):
            try:
                for name in LIBRARIES:
                    ctypes.CDLL(str(folder / name))
            except OSError as e:
                log.warning("%s cannot be opened: %s", folder, e)
                return False
            return True
    return False
