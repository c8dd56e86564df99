"""Several residual heads that learn at once, and the one head that they become.

What members of a deep ensemble err in is their own (Lakshminarayanan et al. 2017, arXiv:1612.01474), so the
mean of what they add to the base model's vector is better than each. Here that mean is exactly one head:
its hidden layer is theirs laid end to end, its last layer their last layers over their number.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, normalize

from mmdemo.models.heads.residual import HeadShape, ResidualHead

LEVELS = 256  # of a random byte


class ByteDropout(nn.Module):
    """Dropout by a random byte an element: `nn.Dropout` draws a number each, in five times the time on a CPU.

    Args:
        share: of the elements that become nought, to the nearest of 256 parts.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.least = round(LEVELS * share)  # of the bytes that let an element through

    def forward(self, x: Tensor) -> Tensor:
        """Elements of any shape, the others scaled up so that the mean stays."""
        if not self.training or not self.least:
            return x
        drawn = torch.empty(math.ceil(x.numel() / 8), dtype=torch.int64, device=x.device)
        drawn.random_(-(2**63), None)  # None: up to the largest number
        through = drawn.view(torch.uint8)[: x.numel()].view(x.shape) >= self.least
        return x * through.to(x.dtype).mul_(LEVELS / (LEVELS - self.least))


class SideBySide(nn.Module):
    """M residual heads, whose first layers and text layers are one matrix each.

    They start apart and drop out apart; every one has vectors, a scale and so a loss of its own.

    Args:
        shape: of one of them.
        members: M.
        scale: the initial inverse temperature of the losses.
    """

    def __init__(self, shape: HeadShape, members: int, scale: float) -> None:
        super().__init__()
        self.shape, self.members = shape, members
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.zeros(shape.feature_dim))
        self.register_buffer("std", torch.ones(shape.feature_dim))
        self.drop = ByteDropout(shape.dropout)
        self.hidden = nn.Linear(shape.feature_dim, members * shape.hidden)
        self.media_out = nn.Parameter(torch.zeros(members, shape.hidden, shape.dim))
        self.media_bias = nn.Parameter(torch.zeros(members, 1, shape.dim))
        self.text = nn.Linear(shape.dim, members * shape.dim, bias=False)
        nn.init.zeros_(self.text.weight)
        self.log_scale = nn.Parameter(torch.full((members,), math.log(scale)))
        self.bias = nn.Parameter(torch.full((members,), -scale / 2))

    def standardise(self, features: Tensor) -> None:
        """See `ResidualHead.standardise`."""
        self.mean.copy_(features.mean(0))
        self.std.copy_(features.std(0).clamp_min(1e-3))

    def project_media(self, features: Tensor) -> Tensor:
        """(N, F) features to (M, N, D) unit vectors, of each member."""
        members, width = self.members, self.shape.hidden
        base = normalize(features[:, : self.shape.dim], dim=1)  # (N, D)
        standard = (features - self.mean) / self.std
        given = self.drop(standard.expand(members, -1, -1))  # (M, N, F)
        first = self.hidden.weight.view(members, width, -1).transpose(1, 2)  # (M, F, H)
        hidden = torch.baddbmm(self.hidden.bias.view(members, 1, width), given, first)  # (M, N, H)
        added = torch.baddbmm(self.media_bias, self.drop(gelu(hidden)), self.media_out)  # (M, N, D)
        return normalize(base + added, dim=2)

    def project_text(self, vectors: Tensor) -> Tensor:
        """(N, D) vectors of the text tower to (M, N, D) unit vectors, of each member."""
        added = self.text(vectors).view(len(vectors), self.members, -1).transpose(0, 1)
        return normalize(vectors + added, dim=2)

    @torch.no_grad()
    def merged(self) -> ResidualHead:
        """The head as wide as all of them, which adds to each vector the mean of what they add."""
        wide = replace(self.shape, hidden=self.members * self.shape.hidden)
        with torch.device("meta"):  # its tensors are those below
            head = ResidualHead(wide)
        weights = {
            "mean": self.mean.clone(),
            "std": self.std.clone(),
            "media.1.weight": self.hidden.weight.clone(),
            "media.1.bias": self.hidden.bias.clone(),
            "media_out.weight": (self.media_out / self.members).flatten(0, 1).T.contiguous(),  # (D, M H)
            "media_out.bias": self.media_bias.mean((0, 1)),
            "text.weight": self.text.weight.view(self.members, *2 * (self.shape.dim,)).mean(0),
            "log_scale": self.log_scale.mean(),
            "bias": self.bias.mean(),
        }
        head.load_state_dict(weights, assign=True)
        return head.eval()
