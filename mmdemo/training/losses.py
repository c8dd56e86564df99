"""Contrastive losses that know which pairs people marked as wrong.

Both take the whole batch, matches and mismatches together, and build one table of media against texts:
where a known match joins a row's item with a column's text it is positive (equal texts and equal items
included), where somebody marked a mismatch it is a marked negative, and everything else is a negative by
assumption.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid


@dataclass(frozen=True)
class Batch:
    """Unit vectors of R examples and what is known of them."""

    media: Tensor  # (R, D)
    text: Tensor  # (R, D)
    match: Tensor  # (R,) bool
    item_code: Tensor  # (R,) equal for one item
    text_code: Tensor  # (R,) equal for one text

    def tables(self) -> tuple[Tensor, Tensor]:
        """(R, R) bool each: known positives and marked negatives of item r with text c."""
        same_item = (self.item_code[:, None] == self.item_code[None, :]).float()
        same_text = (self.text_code[:, None] == self.text_code[None, :]).float()
        positive = (same_item * self.match.float()[None, :]) @ same_text > 0
        marked = (same_item * (~self.match).float()[None, :]) @ same_text > 0
        return positive, marked & ~positive


class InfoNCE(nn.Module):
    """Symmetric InfoNCE (van den Oord et al. 2018, arXiv:1807.03748; CLIP, Radford et al. 2021,
    arXiv:2103.00020) with several positives a row and marked mismatches as extra, heavier negatives.

    Args:
        mark_weight: how many assumed negatives a marked one counts for.
    """

    def __init__(self, mark_weight: float = 4.0) -> None:
        super().__init__()
        self.log_weight: Tensor
        self.register_buffer("log_weight", torch.tensor(float(mark_weight)).log())

    def forward(self, batch: Batch, scale: Tensor, bias: Tensor) -> Tensor:
        """The mean loss of both directions; `bias` plays no part."""
        positive, marked = batch.tables()
        logits = scale * batch.media @ batch.text.T + marked * self.log_weight  # (R, R)
        return (self._one_way(logits, positive) + self._one_way(logits.T, positive.T)) / 2

    @staticmethod
    def _one_way(logits: Tensor, positive: Tensor) -> Tensor:
        asks = positive.any(1)
        own = logits.masked_fill(~positive, -torch.inf).logsumexp(1)
        return (logits.logsumexp(1) - own)[asks].mean()


class PairwiseSigmoid(nn.Module):
    """The pairwise sigmoid loss of SigLIP (Zhai et al. 2023, arXiv:2303.15343), marked mismatches
    weighing more.

    Args:
        mark_weight: how many assumed negatives a marked one counts for.
    """

    def __init__(self, mark_weight: float = 4.0) -> None:
        super().__init__()
        self.mark_weight = mark_weight

    def forward(self, batch: Batch, scale: Tensor, bias: Tensor) -> Tensor:
        """The summed loss over all pairs of the batch, divided by its rows."""
        positive, marked = batch.tables()
        logits = scale * batch.media @ batch.text.T + bias  # (R, R)
        sign = positive.float() * 2 - 1
        weight = 1 + marked.float() * (self.mark_weight - 1)
        return -(weight * logsigmoid(sign * logits)).sum() / len(logits)


LOSSES: dict[str, type[InfoNCE] | type[PairwiseSigmoid]] = {"infonce": InfoNCE, "sigmoid": PairwiseSigmoid}
