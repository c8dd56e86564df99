"""A head that sees the frames of a shot together: a small Transformer over time, which starts as the mean.

As in the sequential Transformer of CLIP4Clip (Luo et al. 2021, arXiv:2104.08860) the frames pass through
self-attention before they are averaged. What goes in is the hidden layer of the residual branch; what
attention changes in it is added to each frame's vector, so that the same few hundred spans teach both. The
last layer starts at zero: an untrained head is the mean over the frames of the base model's vectors.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmdemo.models.heads.residual import HEADS, LONGEST, HeadShape, ResidualHead

WIDTH = 128  # of the Transformer: spans are labelled by the hundred, not by the million
ATTENTIONS = 4
LAYERS = 1


class TemporalHead(ResidualHead):
    """The residual head, and what the frames of a span say of each other.

    Args:
        shape: the sizes.
        scale: the initial inverse temperature of the losses.
    """

    about = "temporal Transformer over a span's frames"
    sees_time = True

    def __init__(self, shape: HeadShape, scale: float = 10.0) -> None:
        super().__init__(shape, scale)
        self.frame_in = nn.Linear(shape.hidden, WIDTH)
        layer = nn.TransformerEncoderLayer(
            WIDTH, ATTENTIONS, 2 * WIDTH, shape.dropout, "gelu", batch_first=True, norm_first=True
        )
        self.over_time = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)
        self.drop = nn.Dropout(shape.dropout)
        self.frame_out = nn.Linear(WIDTH, shape.dim)
        nn.init.zeros_(self.frame_out.weight)
        nn.init.zeros_(self.frame_out.bias)
        self.position: Tensor
        self.register_buffer("position", _sinusoids(LONGEST, WIDTH), persistent=False)

    def _learned(self, frames: Tensor, there: Tensor) -> Tensor:
        """(N, T, D) what is added to the base model's vectors of frames."""
        hidden = self.media((frames - self.mean) / self.std)  # (N, T, H)
        given = self.frame_in(hidden) + self.position[: frames.shape[1]]  # (N, T, W)
        seen = self.over_time(given, src_key_padding_mask=~there)
        return self.media_out(hidden) + self.frame_out(self.drop(seen - given))

    def project_spans(self, frames: Tensor, there: Tensor) -> Tensor:
        """(N, D) unit vectors: the mean over the frames, each seen with the others."""
        weight = there[..., None] / there.sum(1)[:, None, None]  # (N, T, 1)
        base = normalize((frames[..., : self.shape.dim] * weight).sum(1), dim=1)  # (N, D)
        return normalize(base + (self._learned(frames, there) * weight).sum(1), dim=1)

    def project_frames(self, frames: Tensor, there: Tensor) -> Tensor:
        """(N, T, D) unit vectors of the frames, each seen with the others of its shot."""
        base = normalize(frames[..., : self.shape.dim], dim=2)  # (N, T, D)
        return normalize(base + self._learned(frames, there), dim=2)

    def project_media(self, features: Tensor) -> Tensor:
        """(N, F) features of single frames to (N, D) unit vectors."""
        alone = torch.ones(len(features), 1, dtype=torch.bool, device=features.device)
        return self.project_spans(features[:, None], alone)


HEADS.add("temporal", TemporalHead)


def _sinusoids(length: int, width: int) -> Tensor:
    """(L, W) positions as sines and cosines (Vaswani et al. 2017, arXiv:1706.03762)."""
    rate = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))  # (W / 2,)
    angle = torch.arange(length)[:, None] * rate
    return torch.stack([angle.sin(), angle.cos()], 2).flatten(1)
