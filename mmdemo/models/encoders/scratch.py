"""Towers that are trained from scratch: a CNN, an RNN and a Transformer, for the media each suits.

Every tower turns a batch into (N, W) pooled states, W being its `width`; what carries them into the shared
space is in two_towers.py. Normalisation never mixes the rows of a batch (GroupNorm, LayerNorm), so a batch
in parts or over several processes gives the gradients of the whole.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

WIDTH = 256  # of the RNN and Transformer states
LAYERS = 4
ATTENTIONS = 4
PATCH_PX = 8
MELS = 80  # log-mel bands of a frame of sound
STACKED = 4  # frames of 10 ms that are read as one step
MOST_TOKENS = 64
DROPOUT = 0.1


class CNN(nn.Module):
    """ResNet-18 (He et al. 2015, arXiv:1512.03385) of torchvision, with group norm (Wu and He 2018,
    arXiv:1803.08494); pictures, or sounds as one-channel pictures of time and pitch.

    Args:
        channels: 3 for pictures, 1 for sounds.
    """

    width = 512

    def __init__(self, channels: int) -> None:
        super().__init__()
        from torchvision.models import resnet18  # type: ignore[import-untyped]

        self.network = resnet18(norm_layer=lambda width: nn.GroupNorm(32, width))
        self.network.fc = nn.Identity()
        if channels != 3:
            self.network.conv1 = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """(N, C, H, W) float32 to (N, 512)."""
        found: Tensor = self.network(pixels)
        return found


class SoundCNN(nn.Module):
    """The CNN over a log-mel spectrogram."""

    width = CNN.width

    def __init__(self) -> None:
        super().__init__()
        self.cnn = CNN(1)

    def forward(self, mels: Tensor, frames: Tensor) -> Tensor:
        """(N, M, T) log-mel energies, of which `frames` (N,) are no padding, to (N, 512)."""
        found: Tensor = self.cnn(mels[:, None])
        return found


class RNN(nn.Module):
    """A bidirectional GRU (Schuster and Paliwal 1997; Cho et al. 2014, arXiv:1406.1078), averaged over the
    steps that are no padding.

    Args:
        inputs: the size of a step.
    """

    width = 2 * WIDTH

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.network = nn.GRU(inputs, WIDTH, batch_first=True, bidirectional=True)

    def forward(self, steps: Tensor, lengths: Tensor) -> Tensor:
        """(N, T, I) steps, of which `lengths` (N,) count, to (N, 512)."""
        packed = pack_padded_sequence(steps, lengths.cpu(), batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.network(packed)[0], batch_first=True)  # (N, T', 2 W)
        return states.sum(1) / lengths.to(states.device)[:, None]  # padding is zero


class TextRNN(nn.Module):
    """The RNN over the tokens of a text.

    Args:
        vocabulary: how many tokens there are.
    """

    width = RNN.width

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, WIDTH)
        self.drop = nn.Dropout(DROPOUT)
        self.rnn = RNN(WIDTH)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """(N, T) ids and mask to (N, 512)."""
        found: Tensor = self.rnn(self.drop(self.tokens(input_ids)), attention_mask.sum(1).clamp_min(1))
        return found


class SoundRNN(nn.Module):
    """The RNN over log-mel frames, four at a step."""

    width = RNN.width

    def __init__(self) -> None:
        super().__init__()
        self.rnn = RNN(MELS * STACKED)

    def forward(self, mels: Tensor, frames: Tensor) -> Tensor:
        """(N, M, T) log-mel energies, of which `frames` (N,) are no padding, to (N, 512)."""
        found: Tensor = self.rnn(_steps(mels), _step_count(frames))
        return found


class Transformer(nn.Module):
    """A Transformer encoder (Vaswani et al. 2017, arXiv:1706.03762) with learned positions, averaged over
    the steps that are no padding.

    Args:
        length: the most steps.
    """

    width = WIDTH

    def __init__(self, length: int) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.randn(1, length, WIDTH) * 0.02)
        layer = nn.TransformerEncoderLayer(
            WIDTH, ATTENTIONS, 4 * WIDTH, DROPOUT, "gelu", batch_first=True, norm_first=True
        )
        self.network = nn.TransformerEncoder(layer, LAYERS, nn.LayerNorm(WIDTH), enable_nested_tensor=False)

    def forward(self, steps: Tensor, there: Tensor) -> Tensor:
        """(N, T, W) steps and (N, T) bool, false where padded, to (N, W)."""
        states = self.network(steps + self.position[:, : steps.shape[1]], src_key_padding_mask=~there)
        weight = there[..., None] / there.sum(1).clamp_min(1)[:, None, None]
        found: Tensor = (states * weight).sum(1)
        return found


class TextTransformer(nn.Module):
    """The Transformer over the tokens of a text.

    Args:
        vocabulary: how many tokens there are.
    """

    width = WIDTH

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, WIDTH)
        self.transformer = Transformer(MOST_TOKENS)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """(N, T) ids and mask to (N, W)."""
        found: Tensor = self.transformer(self.tokens(input_ids), attention_mask.bool())
        return found


class ViT(nn.Module):
    """The Transformer over the patches of a picture (Dosovitskiy et al. 2020, arXiv:2010.11929).

    Args:
        px: the side of the picture.
    """

    width = WIDTH

    def __init__(self, px: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, WIDTH, PATCH_PX, stride=PATCH_PX)
        self.transformer = Transformer((px // PATCH_PX) ** 2)

    def forward(self, pixels: Tensor) -> Tensor:
        """(N, 3, S, S) float32 to (N, W)."""
        steps = self.patches(pixels).flatten(2).transpose(1, 2)  # (N, T, W)
        there = torch.ones(steps.shape[:2], dtype=torch.bool, device=steps.device)
        found: Tensor = self.transformer(steps, there)
        return found


class SoundTransformer(nn.Module):
    """The Transformer over log-mel frames, four at a step.

    Args:
        frames: the most frames of a sound.
    """

    width = WIDTH

    def __init__(self, frames: int) -> None:
        super().__init__()
        self.into = nn.Linear(MELS * STACKED, WIDTH)
        self.transformer = Transformer(frames // STACKED)

    def forward(self, mels: Tensor, frames: Tensor) -> Tensor:
        """(N, M, T) log-mel energies, of which `frames` (N,) are no padding, to (N, W)."""
        steps = self.into(_steps(mels))
        there = torch.arange(steps.shape[1], device=steps.device) < _step_count(frames)[:, None]
        found: Tensor = self.transformer(steps, there)
        return found


def _steps(mels: Tensor) -> Tensor:
    """(N, M, T) frames as (N, T / 4, 4 M) steps."""
    n, m, t = mels.shape
    return mels[..., : t - t % STACKED].transpose(1, 2).reshape(n, t // STACKED, m * STACKED)


def _step_count(frames: Tensor) -> Tensor:
    return (frames // STACKED).clamp_min(1)
