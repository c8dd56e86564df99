"""The small trainable part on top of frozen towers, which starts as the identity.

media vector = normalise(v + MLP(standardised features)), text vector = normalise(t + W t), where v and t are
the base model's own vectors. The last layer of the MLP and W start at zero, so an untrained head IS the base
model and every step of training is a step away from it (the idea of residual adapters, Houlsby et al. 2019,
arXiv:1902.00751, and of CLIP-Adapter, Gao et al. 2021, arXiv:2110.04544).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmdemo.registry import Registry, modules_in


@dataclass(frozen=True)
class HeadShape:
    """What fixes a head's tensors."""

    feature_dim: int  # F, what the media tower gives
    dim: int  # D, the shared space
    hidden: int = 512
    dropout: float = 0.5
    kind: str = "residual"  # a row of HEADS
    alone: bool = False  # whether a fused head answers without the shared space


class ResidualHead(nn.Module):
    """Two residual branches into the shared space, and the scale and bias that the losses learn.

    Args:
        shape: the sizes.
        scale: the initial inverse temperature of the losses.
    """

    about = "shared space: one vector for each side"  # for who chooses
    sees_time = False  # whether a frame's vector depends on the frames around it
    fuses = False  # whether it scores pairs beside the shared space
    looks_at_parts = False  # whether it wants features of a medium's parts, not of the whole alone

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

    def project_spans(self, frames: Tensor, there: Tensor) -> Tensor:
        """(N, D) unit vectors of spans: of the mean of their frames.

        Args:
            frames: (N, T, F) features, padded.
            there: (N, T) bool, false where padded.
        """
        weight = there[..., None] / there.sum(1)[:, None, None]  # (N, T, 1)
        return self.project_media((frames * weight).sum(1))

    def project_frames(self, frames: Tensor, there: Tensor) -> Tensor:
        """(N, T, D) unit vectors of the frames of shots; arguments as `project_spans`."""
        n, t, _ = frames.shape
        return self.project_media(frames.flatten(0, 1)).view(n, t, -1)

    def project_text(self, vectors: Tensor) -> Tensor:
        """(N, D) vectors of the text tower to (N, D) unit vectors."""
        return normalize(vectors + self.text(vectors), dim=1)


# By their kind, which a saved head names.
HEADS: Registry[type[ResidualHead]] = Registry(
    "head", type[ResidualHead], modules_in("mmdemo.models.heads", "temporal", without=("saved",))
)
HEADS.add("residual", ResidualHead)


PROJECT_BATCH = 8192  # rows of features carried into the shared space at once: 54 MB
SPANS_AT_ONCE = 64
LONGEST = 64  # frames that a head sees together; a longer shot goes through in pieces


@dataclass(frozen=True)
class Sequences:
    """The frames of N spans, one span after another."""

    rows: np.ndarray  # (M, F) float16 or float32
    starts: np.ndarray  # (N + 1,) int64: span i is rows[starts[i] : starts[i + 1]]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def take(self, which: np.ndarray) -> Sequences:
        """Some of the spans, in that order."""
        parts = [self.rows[self.starts[i] : self.starts[i + 1]] for i in which]
        starts = np.cumsum([0, *map(len, parts)])
        return Sequences(np.concatenate(parts) if parts else self.rows[:0], starts)

    def means(self) -> np.ndarray:
        """(N, F) float32 mean of each span."""
        found = [self.rows[a:b].astype(np.float32).mean(0) for a, b in pairwise(self.starts)]
        return np.stack(found) if found else np.zeros((0, self.rows.shape[1]), np.float32)

    def padded(self) -> tuple[Tensor, Tensor]:
        """(N, T, F) float32 frames and (N, T) bool, false where there is none."""
        lengths = np.diff(self.starts)
        there = np.arange(lengths.max(initial=1)) < lengths[:, None]
        frames = np.zeros((*there.shape, self.rows.shape[1]), np.float32)
        frames[there] = self.rows
        return torch.from_numpy(frames), torch.from_numpy(there)


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
    def spans(self, spans: Sequences) -> np.ndarray:
        """(N, D) float32 unit vectors of spans, from the features of their frames."""
        if self.head is None:
            return self.media(spans.means())
        if not len(spans):
            return np.empty((0, self.dim), np.float32)
        parts = [
            self.head.project_spans(*spans.take(which).padded()).numpy()
            for which in np.array_split(np.arange(len(spans)), -(-len(spans) // SPANS_AT_ONCE))
        ]
        return np.concatenate(parts)

    @torch.inference_mode()
    def frames(self, features: np.ndarray, shots: list[tuple[int, int]]) -> np.ndarray:
        """(N, D) float32 unit vectors of a video's frames, each seen together with those of its shot.

        Args:
            features: (N, F) of the frames.
            shots: the first row and one past the last of each shot; together they hold all rows.
        """
        if self.head is None or not self.head.sees_time:
            return self.media(features)
        pieces = [(a, min(a + LONGEST, stop)) for start, stop in shots for a in range(start, stop, LONGEST)]
        whole = Sequences(features, np.array([0, *(stop for _, stop in pieces)]))
        out = []
        for which in np.array_split(np.arange(len(pieces)), -(-len(pieces) // SPANS_AT_ONCE)):
            frames, there = whole.take(which).padded()
            out.append(self.head.project_frames(frames, there)[there].numpy())
        return np.concatenate(out)

    @torch.inference_mode()
    def text(self, vectors: np.ndarray) -> np.ndarray:
        """(N, D) float32 unit vectors from (N, D) vectors of the text tower."""
        if self.head is None:
            return np.asarray(vectors, dtype=np.float32)
        return self.head.project_text(torch.from_numpy(np.array(vectors, np.float32))).numpy()
