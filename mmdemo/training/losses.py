"""Losses that know which pairs people marked as wrong, and how sure of a label they are.

Those of pairs take the whole batch, matches and mismatches together, and build one table of media against
texts: where a known match joins a row's item with a column's text it is positive (equal texts and equal items
included), where somebody marked a mismatch it is a marked negative, and everything else is a negative by
assumption. A row counts as much as its label is sure. The loss of captioners takes tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from mmdemo.errors import NumberError
from mmdemo.registry import Registry

IGNORED = -100  # a token that the loss passes over
LEAST_WEIGHT = 1e-6  # of all rows together: where none is sure, there is nothing to learn


@dataclass(frozen=True)
class Batch:
    """Unit vectors of R examples and what is known of them."""

    media: Tensor  # (R, D)
    text: Tensor  # (R, D)
    match: Tensor  # (R,) bool
    item_code: Tensor  # (R,) equal for one item
    text_code: Tensor  # (R,) equal for one text
    weight: Tensor | None = None  # (R,) how sure each label is, over 0 to 1; None: all are
    logits: Tensor | None = None  # (R, R) of a fused head: of item r with text c

    def members(self) -> list[Batch]:
        """One for each head, of vectors of several: (M, R, D)."""
        return [
            replace(self, media=media, text=text)
            for media, text in zip(self.media.unbind(), self.text.unbind(), strict=True)
        ]

    def tables(self) -> tuple[Tensor, Tensor]:
        """(R, R) bool each: known positives and marked negatives of item r with text c."""
        same_item = (self.item_code[:, None] == self.item_code[None, :]).float()
        same_text = (self.text_code[:, None] == self.text_code[None, :]).float()
        positive = (same_item * self.match.float()[None, :]) @ same_text > 0
        marked = (same_item * (~self.match).float()[None, :]) @ same_text > 0
        return positive, marked & ~positive

    def mean(self, rows: Tensor, counted: Tensor) -> Tensor:
        """The mean of (R,) losses over those that are counted, each weighing what its label does."""
        weight = torch.ones_like(rows) if self.weight is None else self.weight
        return (rows * weight)[counted].sum() / weight[counted].sum().clamp_min(LEAST_WEIGHT)


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
        return (self._one_way(batch, logits, positive) + self._one_way(batch, logits.T, positive.T)) / 2

    @staticmethod
    def _one_way(batch: Batch, logits: Tensor, positive: Tensor) -> Tensor:
        own = logits.masked_fill(~positive, -torch.inf).logsumexp(1)
        return batch.mean(logits.logsumexp(1) - own, positive.any(1))


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
        """The mean over the rows of the loss summed over their pairs."""
        positive, marked = batch.tables()
        logits = scale * batch.media @ batch.text.T + bias  # (R, R)
        sign = positive.float() * 2 - 1
        weight = 1 + marked.float() * (self.mark_weight - 1)
        rows = -(weight * logsigmoid(sign * logits)).sum(1)
        return batch.mean(rows, torch.ones_like(batch.match))


class HardTriplet(nn.Module):
    """The triplet loss with the hardest negative of the batch (VSE++, Faghri et al. 2017, arXiv:1707.05612).

    Of several positives the farthest counts; the hardest marked mismatch of a row is a triplet of its own.

    Args:
        mark_weight: how many assumed negatives a marked one counts for.
        margin: in cosines.
    """

    def __init__(self, mark_weight: float = 4.0, margin: float = 0.2) -> None:
        super().__init__()
        self.mark_weight = mark_weight
        self.margin = margin

    def forward(self, batch: Batch, scale: Tensor, bias: Tensor) -> Tensor:
        """The mean loss of both directions; `scale` and `bias` play no part."""
        positive, marked = batch.tables()
        cosines = batch.media @ batch.text.T  # (R, R)
        there = self._one_way(batch, cosines, positive, marked)
        return (there + self._one_way(batch, cosines.T, positive.T, marked.T)) / 2

    def _one_way(self, batch: Batch, cosines: Tensor, positive: Tensor, marked: Tensor) -> Tensor:
        own = cosines.masked_fill(~positive, torch.inf).amin(1)
        own = own.masked_fill(~positive.any(1), 0.0)  # such rows are not counted

        def hardest(among: Tensor) -> Tensor:
            nearest = cosines.masked_fill(~among, -torch.inf).amax(1)
            return (self.margin + nearest - own).clamp_min(0)

        rows = hardest(~positive & ~marked) + self.mark_weight * hardest(marked)
        return batch.mean(rows, positive.any(1))


class BinaryMatching(nn.Module):
    """Whether a pair matches, by cross-entropy, with the hardest negatives of the batch (the image-text
    matching loss of ALBEF, Li et al. 2021, arXiv:2107.07651, which draws them by their similarity).

    Of each row the positives, the hardest assumed negative and the marked mismatches are judged, by a fused
    head's logits or else by those of the shared space.

    Args:
        mark_weight: how many assumed negatives a marked one counts for.
    """

    def __init__(self, mark_weight: float = 4.0) -> None:
        super().__init__()
        self.mark_weight = mark_weight

    def forward(self, batch: Batch, scale: Tensor, bias: Tensor) -> Tensor:
        """The mean loss of both directions."""
        positive, marked = batch.tables()
        logits = batch.logits if batch.logits is not None else scale * batch.media @ batch.text.T + bias
        there = self._one_way(batch, logits, positive, marked)
        return (there + self._one_way(batch, logits.T, positive.T, marked.T)) / 2

    def _one_way(self, batch: Batch, logits: Tensor, positive: Tensor, marked: Tensor) -> Tensor:
        yes = _mean_where(-logsigmoid(logits), positive)
        assumed = ~positive & ~marked
        nearest = logits.masked_fill(~assumed, -torch.inf).amax(1)
        no = -logsigmoid(-nearest.masked_fill(~assumed.any(1), -1e4))
        said = _mean_where(-logsigmoid(-logits), marked)
        return batch.mean(yes + no + self.mark_weight * said, positive.any(1) | marked.any(1))


def _mean_where(values: Tensor, mask: Tensor) -> Tensor:
    """(R,) means of the (R, R) values under the mask; zero where it has none."""
    return (values * mask).sum(1) / mask.sum(1).clamp_min(1)


class CaptionCrossEntropy(nn.Module):
    """The cross-entropy of a text's tokens (Show and Tell, Vinyals et al. 2014, arXiv:1411.4555); of a marked
    mismatch the tokens are made unlikely instead (unlikelihood, Welleck et al. 2019, arXiv:1908.04319).

    Args:
        mark_weight: how much a token of a mismatch counts beside one of a match.
    """

    def __init__(self, mark_weight: float = 1.0) -> None:
        super().__init__()
        self.mark_weight = mark_weight

    def forward(
        self, logits: Tensor, wanted: Tensor, match: Tensor | None = None, weight: Tensor | None = None
    ) -> Tensor:
        """() the mean over the tokens that count, in nats.

        Args:
            logits: (B, L, V) for the tokens that come.
            wanted: (B, L) int64 the tokens that do, or IGNORED.
            match: (B,) bool; None: all texts match.
            weight: (B,) how sure each label is; None: all are.
        """
        counted = wanted != IGNORED
        chosen = wanted.masked_fill(~counted, 0)[..., None]
        own = logits.float().log_softmax(2).gather(2, chosen).squeeze(2)  # (B, L) log-probabilities
        rows = torch.ones(len(wanted), device=own.device) if weight is None else weight
        share = (counted * rows[:, None]).float()
        if match is None:
            return -(own * share).sum() / share.sum().clamp_min(LEAST_WEIGHT)
        against = -torch.log1p(-own.exp().clamp(max=1 - 1e-6))
        tokens = torch.where(match[:, None], -own, self.mark_weight * against)
        return (tokens * share).sum() / share.sum().clamp_min(LEAST_WEIGHT)


# A loss of pairs is made with the weight of a marked mismatch, and called with a batch, a scale and a bias.
MakeLoss = Callable[[float], nn.Module]
LOSSES: Registry[MakeLoss] = Registry("loss", MakeLoss, [__name__])
LOSSES.add("infonce", InfoNCE)
LOSSES.add("sigmoid", PairwiseSigmoid)
LOSSES.add("triplet", HardTriplet)
LOSSES.add("matching", BinaryMatching)


class RowError(NumberError):
    """An example of a batch made what is infinite or not a number, and others did not."""

    def __init__(self, row: int, thing: str, name: str = "") -> None:
        self.row, self.thing = row, thing  # the row of the whole batch
        super().__init__(
            f"{thing} of {name or f'example {row + 1} of a batch'} is infinite or not a number.",
            "Mark the pair as unsure, or import its file again.",
        )

    def of(self, name: str) -> RowError:
        """The same with the example's name."""
        return RowError(self.row, self.thing, name)


class CheckedLoss(nn.Module):
    """A loss of LOSSES as trainings call it: what goes in are numbers, or it is an error.

    Where nothing of a batch is a number, as of a network whose weights have gone astray, neither is the loss,
    and the loop goes back to its last state.

    Args:
        name: of the loss.
        mark_weight: how many assumed negatives a marked one counts for.
    """

    def __init__(self, name: str, mark_weight: float) -> None:
        super().__init__()
        self.name = name
        self._loss = LOSSES[name](mark_weight)

    def forward(self, batch: Batch, scale: Tensor, bias: Tensor) -> Tensor:
        """() the loss.

        Raises:
            RowError: one example's vector, score or weight is no number.
        """
        astray = False
        for what, values in (
            ("The vector of the medium", batch.media),
            ("The vector of the text", batch.text),
            ("A score", batch.logits),
            ("The weight", batch.weight),
        ):
            if values is None:
                continue
            good = torch.isfinite(values.detach()).reshape(len(values), -1).all(1)  # (R,)
            if bool(good.any()) and not bool(good.all()):
                raise RowError(int(good.int().argmin()), what)
            astray = astray or not bool(good.any())
        loss: Tensor = self._loss(batch, scale, bias)
        return loss + float("nan") if astray else loss
