"""Heads that are new, and on disk: weights as safetensors, their shape as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from mmdemo.errors import StorageError, UserError
from mmdemo.finite import require_finite
from mmdemo.models.heads.residual import HEADS, HeadShape, ResidualHead
from mmdemo.models.weight_shapes import require_shapes


def make_head(shape: HeadShape, scale: float = 10.0) -> ResidualHead:
    """An untrained head of the kind that its shape names.

    Raises:
        UserError: there is no such kind; the sentence lists those there are.
    """
    return HEADS[shape.kind](shape, scale)


def save_head(head: ResidualHead, folder: Path) -> None:
    """Weights as safetensors and their shape as JSON in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(
        {name: t.detach().cpu().contiguous() for name, t in head.state_dict().items()},
        folder / "head.safetensors",
    )
    (folder / "head.json").write_text(json.dumps(asdict(head.shape)), encoding="utf-8")


def has_head(folder: Path) -> bool:
    """Whether a version's folder holds a head; one whose tower was adapted may have none."""
    return (folder / "head.json").exists()


def load_head(folder: Path) -> ResidualHead:
    """The head that `save_head` wrote, in evaluation mode.

    Raises:
        StorageError: files are missing or do not fit each other.
        NumberError: a weight is infinite or not a number.
    """
    try:
        shape = HeadShape(**json.loads((folder / "head.json").read_text(encoding="utf-8")))
        require_shapes(lambda: make_head(shape), folder / "head.safetensors")
        head = make_head(shape)
        head.load_state_dict(load_file(folder / "head.safetensors"))
    except (OSError, ValueError, TypeError, RuntimeError, SafetensorError, UserError, StorageError) as e:
        raise StorageError(
            f"The weights in {folder.name} cannot be read.", "Activate another version."
        ) from e
    for name, tensor in head.state_dict().items():
        require_finite(tensor, f"A weight {name} of {folder.name}", "Activate another version.")
    return head.eval()
