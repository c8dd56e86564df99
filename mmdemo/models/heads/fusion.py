"""Heads that look at a medium and a text together, beside the shared space: by concatenation or attention.

A shared space compares two vectors that know nothing of each other; it can be searched, for each side is
embedded once. A fused head takes both and says whether they match. It costs a computation a pair, so it is
asked about the nearest of the shared space only, and puts them in a new order (as the image-text matching
head of ALBEF, Li et al. 2021, arXiv:2107.07651). What it has learned is added to the shared space's own
logit and starts at zero; with `alone` it is the whole answer, as in a textbook.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from mmdemo.models.calibration import Calibration
from mmdemo.models.heads.residual import HEADS, HeadShape, ResidualHead

JOINT = 256  # channels of the layer that sees both sides
DROPOUT = 0.3


CALIBRATION = Calibration(10.0, 0.0)  # of tenths of a logit: the head's own word, before any label


class FusedHead(ResidualHead):
    """The residual head, and a score of pairs; subclasses say how the two sides meet."""

    fuses = True

    def pair_logits(self, cells: Tensor, media: Tensor, texts: Tensor, text: Tensor) -> Tensor:
        """(N, M) logits that each of N media matches each of M texts.

        Args:
            cells: (N, T, F) features of the parts of the media; T is 1 where the whole is all there is.
            media: (N, D) unit vectors of the media in the shared space.
            texts: (M, D) vectors of the text tower.
            text: (M, D) unit vectors of the texts in the shared space.
        """
        learned = self.joint((cells - self.mean) / self.std, texts)
        if self.shape.alone:
            return learned
        scale = self.log_scale.exp().clamp(max=100.0)
        return scale * media @ text.T + self.bias + learned

    def joint(self, cells: Tensor, texts: Tensor) -> Tensor:
        """(N, M) what is learned of pairs, from standardised (N, T, F) cells and (M, D) text vectors."""
        raise NotImplementedError

    def _last(self) -> nn.Linear:
        """The last layer: it starts at zero, unless it is the whole answer."""
        layer = nn.Linear(JOINT, 1, bias=self.shape.alone)
        if not self.shape.alone:
            nn.init.zeros_(layer.weight)
        return layer


class ConcatenationHead(FusedHead):
    """A perceptron over both vectors laid end to end (Ngiam et al. 2011, "Multimodal deep learning").

    Its first layer is a sum of one for each side, so each side goes through once for all pairs.
    """

    about = "concatenation: both vectors end to end"

    def __init__(self, shape: HeadShape, scale: float = 10.0) -> None:
        super().__init__(shape, scale)
        self.from_media = nn.Linear(shape.feature_dim, JOINT)
        self.from_text = nn.Linear(shape.dim, JOINT, bias=False)
        self.between = nn.Sequential(nn.GELU(), nn.Dropout(DROPOUT), nn.Linear(JOINT, JOINT), nn.GELU())
        self.drop = nn.Dropout(shape.dropout)
        self.out = self._last()

    def joint(self, cells: Tensor, texts: Tensor) -> Tensor:
        """See `FusedHead.joint`; the cells are averaged."""
        media = self.from_media(self.drop(cells.mean(1)))  # (N, J)
        text = self.from_text(texts * math.sqrt(texts.shape[1]))  # (M, J)
        found: Tensor = self.out(self.between(media[:, None] + text[None])).squeeze(2)
        return found


class CrossAttentionHead(FusedHead):
    """The text looks at the parts of the medium that concern it (as X-Pool, Gorti et al. 2022,
    arXiv:2203.15086, does with the frames of a video), and what it sees is judged together with it.
    """

    about = "cross-attention: the text looks at the parts"
    looks_at_parts = True

    def __init__(self, shape: HeadShape, scale: float = 10.0) -> None:
        super().__init__(shape, scale)
        self.query = nn.Linear(shape.dim, JOINT)
        self.key = nn.Linear(shape.feature_dim, JOINT)
        self.value = nn.Linear(shape.feature_dim, JOINT)
        self.norm = nn.LayerNorm(JOINT)
        self.from_text = nn.Linear(shape.dim, JOINT)
        self.drop = nn.Dropout(shape.dropout)
        self.out = self._last()

    def joint(self, cells: Tensor, texts: Tensor) -> Tensor:
        """See `FusedHead.joint`."""
        cells, texts = self.drop(cells), texts * math.sqrt(texts.shape[1])
        keys, values = self.key(cells), self.value(cells)  # (N, T, J)
        weight = torch.einsum("mj,ntj->nmt", self.query(texts), keys) / math.sqrt(JOINT)
        seen = self.norm(torch.einsum("nmt,ntj->nmj", weight.softmax(2), values))
        found: Tensor = self.out(gelu(seen * self.from_text(texts)[None])).squeeze(2)
        return found


HEADS.add("concatenation", ConcatenationHead)
HEADS.add("cross-attention", CrossAttentionHead)


@torch.inference_mode()
def pair_logits(head: FusedHead, cells: np.ndarray, features: np.ndarray, texts: np.ndarray) -> np.ndarray:
    """(N, M) logits of (N, T, F) cells and (N, F) features with (M, D) vectors of the text tower."""
    base = torch.from_numpy(np.asarray(texts, np.float32))
    text = head.project_text(base)
    rows = []
    step = max(1, 8192 // max(1, len(base)))  # media at once, so that a table of pairs stays small
    for i in range(0, len(features), step):
        media = head.project_media(torch.from_numpy(np.asarray(features[i : i + step], np.float32)))
        part = torch.from_numpy(np.asarray(cells[i : i + step], np.float32))
        rows.append(head.pair_logits(part, media, base, text))
    return torch.cat(rows).numpy() if rows else np.zeros((0, len(base)), np.float32)
