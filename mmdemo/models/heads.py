"""The small trainable part on top of frozen towers, which starts as the identity.

media vector = normalise(v + MLP(standardised features)), text vector = normalise(t + W t), where v and t are
the base model's own vectors. The last layer of the MLP and W start at zero, so an untrained head IS the base
model and every step of training is a step away from it (the idea of residual adapters, Houlsby et al. 2019,
arXiv:1902.00751, and of CLIP-Adapter, Gao et al. 2021, arXiv:2110.04544).
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmdemo.errors import StorageError


@dataclass(frozen=True)
class HeadShape:
    """What fixes a head's tensors."""

    feature_dim: int  # F, what the media tower gives
    dim: int  # D, the shared space
    hidden: int = 512
    dropout: float = 0.5


class ResidualHead(nn.Module):
    """Two residual branches into the shared space, and the scale and bias that the losses learn.

    Args:
        shape: the sizes.
        scale: the initial inverse temperature of the losses.
    """

    def __init__(self, shape: HeadShape, scale: float = 10.0) -> None:
        super().__init__()
        self.shape = shape
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.zeros(shape.feature_dim))
        self.register_buffer("std", torch.ones(shape.feature_dim))
        self.media = nn.Sequential(
            nn.Dropout(shape.dropout),
            nn.Linear(shape.feature_dim, shape.hidden),
            nn.GELU(),
            nn.Dropout(shape.dropout),
        )
        self.media_out = nn.Linear(shape.hidden, shape.dim)
        self.text = nn.Linear(shape.dim, shape.dim, bias=False)
        nn.init.zeros_(self.media_out.weight)
        nn.init.zeros_(self.media_out.bias)
        nn.init.zeros_(self.text.weight)
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))
        self.bias = nn.Parameter(torch.tensor(-scale / 2))

    def standardise(self, features: Tensor) -> None:
        """Take the mean and spread of (N, F) features, so that no single channel drowns the others."""
        self.mean.copy_(features.mean(0))
        self.std.copy_(features.std(0).clamp_min(1e-3))

    def project_media(self, features: Tensor) -> Tensor:
        """(N, F) features to (N, D) unit vectors."""
        base = normalize(features[:, : self.shape.dim], dim=1)  # (N, D)
        hidden = self.media((features - self.mean) / self.std)  # (N, H)
        return normalize(base + self.media_out(hidden), dim=1)

    def project_text(self, vectors: Tensor) -> Tensor:
        """(N, D) vectors of the text tower to (N, D) unit vectors."""
        return normalize(vectors + self.text(vectors), dim=1)


PROJECT_BATCH = 8192  # rows of features carried into the shared space at once: 54 MB


class Projection:
    """A head in use on arrays; without a head it is the base model's own vectors.

    Args:
        dim: D, the shared space.
        head: the trained part, or None.
    """

    def __init__(self, dim: int, head: ResidualHead | None) -> None:
        self.dim = dim
        self.head = head.eval() if head is not None else None

    @torch.inference_mode()
    def media(self, features: np.ndarray) -> np.ndarray:
        """(N, D) float32 unit vectors from (N, F) features of the media tower."""
        if self.head is None:
            base = np.array(features[:, : self.dim], dtype=np.float32)
            return base / np.linalg.norm(base, axis=1, keepdims=True).clip(1e-12)
        parts = [
            self.head.project_media(torch.from_numpy(np.array(features[i : i + PROJECT_BATCH], np.float32)))
            for i in range(0, len(features), PROJECT_BATCH)
        ]
        return torch.cat(parts).numpy() if parts else np.empty((0, self.dim), np.float32)

    @torch.inference_mode()
    def text(self, vectors: np.ndarray) -> np.ndarray:
        """(N, D) float32 unit vectors from (N, D) vectors of the text tower."""
        if self.head is None:
            return np.asarray(vectors, dtype=np.float32)
        return self.head.project_text(torch.from_numpy(np.array(vectors, np.float32))).numpy()


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
    """
    try:
        shape = HeadShape(**json.loads((folder / "head.json").read_text(encoding="utf-8")))
        head = ResidualHead(shape)
        head.load_state_dict(load_file(folder / "head.safetensors"))
    except (OSError, ValueError, TypeError, RuntimeError, SafetensorError) as e:
        raise StorageError(
            f"The weights in {folder.name} cannot be read.", "Activate another version."
        ) from e
    return head.eval()
