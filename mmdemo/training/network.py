"""Fine-tuning a dual encoder itself, by LoRA or in full: read top to bottom.

Both encoders learn from pairs by the losses of `losses.py`, a global batch a step (see `contrastive.py`).
Like the other loops this one knows no page and no database. The randomness of a step comes from (seed, step),
and the state on disk says after which step: a run that was killed, or that goes on in slices, is the run that
was not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mmdemo.errors import DataError
from mmdemo.models.device import Compute
from mmdemo.training.contrastive import Both, Source, Temperature, backward
from mmdemo.training.loop import EpochRecord, TrainSettings
from mmdemo.training.losses import LOSSES
from mmdemo.training.state import BestKeeper, StateKeeper

LEAST_STEPS = 20  # with few pairs epochs are added up to so many steps
WARM_UP = 0.1  # of the steps, in which the learning rate rises
MOST_ROLLBACKS = 3  # after a loss that is no number
KEPT_EVERY_S = 20.0  # a state is written at the end of an epoch, and within one this often


class Learner(nn.Module):
    """The weights that learn, and their moving average where it was asked for; what a state holds."""

    def __init__(self, both: Both, temperature: Temperature, ema: float) -> None:
        super().__init__()
        named = {n: p for n, p in both.named_parameters() if p.requires_grad}
        named |= {f"temperature.{n}": p for n, p in temperature.named_parameters()}
        self.weights = nn.ParameterDict({n.replace(".", "/"): p for n, p in named.items()})
        self._ema = ema
        self.averaged = nn.ParameterDict()
        if ema:
            copies = {
                n: nn.Parameter(p.detach().clone(), requires_grad=False) for n, p in self.weights.items()
            }
            self.averaged = nn.ParameterDict(copies)

    def groups(self, decay: float) -> list[dict[str, Any]]:
        """For the optimiser: matrices decay; biases, norms and the temperature do not."""
        matrices = [p for n, p in self.weights.items() if p.ndim > 1]
        others = [p for n, p in self.weights.items() if p.ndim <= 1]
        return [{"params": matrices, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]

    @torch.no_grad()
    def average(self) -> None:
        """Take the present weights into the average."""
        for name, mean in self.averaged.items():
            mean.lerp_(self.weights[name], 1 - self._ema)

    @torch.no_grad()
    def use_average(self) -> None:
        """The weights are the average from here on."""
        for name, mean in self.averaged.items():
            self.weights[name].copy_(mean)


def rate_at(step: int, steps: int) -> float:
    """The share of the learning rate at a step: a linear rise, then half a cosine."""
    warm = max(1, round(WARM_UP * steps))
    if step < warm:
        return (step + 1) / warm
    return (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm))) / 2


def make_accelerator(compute: Compute) -> Any:
    """What carries batches to devices and gradients between processes, as `decide_compute` decided."""
    from accelerate import Accelerator
    from accelerate.utils import DistributedDataParallelKwargs

    precision = "bf16" if compute.dtype is torch.bfloat16 else "no"
    unused = DistributedDataParallelKwargs(find_unused_parameters=True)  # some families have spare layers
    on_cpu = compute.device.type == "cpu"
    return Accelerator(cpu=on_cpu, mixed_precision=precision, kwargs_handlers=[unused])


def train_network(
    encoder: Any,
    source: Source,
    settings: TrainSettings,
    method: str,
    compute: Compute,
    state: Path | None = None,
    stopped: Callable[[], bool] = lambda: False,
    told: Callable[[str], None] = lambda message: None,
    recall: Callable[[], float] | None = None,
    slice_s: float = 0.0,
) -> Iterator[EpochRecord]:
    """Train an encoder whose trainable parameters require gradients, an epoch at a time, in place.

    Args:
        encoder: the encoders.
        source: the pairs to learn from.
        settings: epochs, learning rate, weight decay, batch, part, loss, mark weight, scale, EMA and seed.
        method: lora or full: whose defaults.
        compute: where, and in which number format.
        state: a folder from which an interrupted run goes on; None: nothing is kept.
        stopped: looked at every step; what was learned until then stays.
        told: takes a message for the person who waits.
        recall: measures the network as it is, on pairs that it is not trained on, in percent.
        slice_s: end after so many seconds, between steps; 0: never.

    Raises:
        DataError: the loss is no number, again and again.
    """
    accelerator = make_accelerator(compute)
    loss_of = LOSSES[settings.loss](settings.mark_weight).to(accelerator.device)
    temperature = Temperature(settings.scale).to(accelerator.device)
    plain = Both(encoder)
    learner = Learner(plain, temperature, settings.ema)
    rate = settings.learning_rate or encoder.rates[method]
    optimiser = torch.optim.AdamW(learner.groups(settings.weight_decay), lr=rate)
    batch = min(settings.batch, len(source.matches))
    steps = max(1, len(source.matches) // batch)
    epochs = settings.epochs or max(encoder.epochs, math.ceil(LEAST_STEPS / steps))
    both = accelerator.prepare_model(plain)
    keeper = StateKeeper(state) if state is not None else None
    best = BestKeeper(state, settings.patience) if state is not None and recall is not None else None
    done, spent = keeper.load(learner, optimiser) if keeper is not None and keeper.exists() else (0, 0.0)
    part = settings.part or batch
    since = kept = time.perf_counter()
    rollbacks, total, counted = 0, 0.0, 0

    def share_of(step: int) -> tuple[list[int], list[int]]:
        """The pairs of a step, and those that this process embeds."""
        epoch, at = divmod(step, steps)
        generator = torch.Generator().manual_seed(settings.seed * 100_003 + epoch)
        order = torch.randperm(len(source.matches), generator=generator)
        chosen = order[at * batch : (at + 1) * batch].tolist()
        share = len(chosen) // accelerator.num_processes
        first = accelerator.process_index * share
        return chosen, chosen[first : first + share]

    def keep() -> None:
        if keeper is not None and accelerator.is_main_process:
            keeper.save(learner, optimiser, done, spent + time.perf_counter() - since)

    while done < steps * epochs and not (best is not None and best.waited_enough):
        if stopped() or (slice_s and time.perf_counter() - since > slice_s):
            break
        chosen, own = share_of(done)
        torch.manual_seed(settings.seed * 1_000_003 + done * 64 + accelerator.process_index)
        plain.train()
        optimiser.zero_grad(set_to_none=True)
        loss = 0.0
        if any(source.matches[i] for i in chosen):  # else there is nothing to pull together
            try:
                inputs = source.inputs(own)
                if done + 1 < steps * epochs:
                    source.prefetch(share_of(done + 1)[1])
                loss = backward(both, inputs, loss_of, temperature, min(part, len(own)), accelerator)
            except torch.OutOfMemoryError:
                if part <= 1:
                    raise
                part = max(1, min(part, len(own)) // 2)
                told(f"The memory is full: {part} pairs are embedded at once from here on.")
                if compute.device.type == "cuda":
                    torch.cuda.empty_cache()
                continue
            if not math.isfinite(loss):
                rollbacks += 1
                if rollbacks > MOST_ROLLBACKS or keeper is None or not keeper.exists():
                    raise DataError("The loss is no number.", "Choose a lower learning rate and start again.")
                keeper.wait()
                done, spent = keeper.load(learner, optimiser)
                rate /= 2
                told("The loss was no number: back to the last check-point, at half the learning rate.")
                continue
            for group in optimiser.param_groups:
                group["lr"] = rate * rate_at(done, steps * epochs)
            nn.utils.clip_grad_norm_(learner.weights.values(), 1.0)
            optimiser.step()
            learner.average()
        done, total, counted = done + 1, total + loss, counted + 1
        at_end = done % steps == 0
        if at_end or time.perf_counter() - kept > KEPT_EVERY_S:
            keep()
            kept = time.perf_counter()
        if at_end:
            plain.eval()
            seconds = spent + time.perf_counter() - since
            found = recall() if recall is not None else None
            if best is not None and found is not None:
                best.offer(learner.weights, found)
            left = seconds / done * (steps * epochs - done)
            yield EpochRecord(done // steps, epochs, total / counted, found, seconds, left)
            total, counted = 0.0, 0
    plain.eval()
    keep()
    if keeper is not None:
        keeper.wait()
    learner.use_average()
    if best is not None:
        best.restore(learner.weights)
