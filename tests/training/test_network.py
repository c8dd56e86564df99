"""Fine-tuning both encoders: equal to the slow and simple way, however it is cut up or interrupted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mmdemo.errors import DataError, NumberError
from mmdemo.training.checkpoint import StateKeeper
from mmdemo.training.config import EpochRecord, TrainSettings
from mmdemo.training.learner import Learner
from mmdemo.training.losses import LOSSES
from mmdemo.training.processes import share_of
from mmdemo.training.trainables.encoders import Both, PairLearning, Temperature, backward
from mmdemo.training.trainables.texts import WriterLearning, likelihood_of
from mmdemo.training.trainer import Trainer, make_accelerator, rate_at
from tests.training.tiny import CPU, SETTINGS, Rows, Tiny, run, same, weights
from tests.waiting import free_port


def gradients(loss: str, part: int, dropout: bool = False) -> dict[str, np.ndarray]:
    tiny, temperature = Tiny(), Temperature(10.0)
    both = Both(tiny).train(dropout)
    torch.manual_seed(9)
    parts = [partial(Rows().inputs, range(16)[i : i + part]) for i in range(0, 16, part)]
    backward(both, parts, LOSSES[loss](), temperature, make_accelerator(CPU))
    named = [*tiny.network.named_parameters(), *temperature.named_parameters()]
    return {n: p.grad.numpy() for n, p in named if p.grad is not None}


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_of_a_batch_in_parts_are_those_of_the_whole(loss: str) -> None:
    whole = gradients(loss, 16)
    for part in (1, 5, 8):
        assert same(whole, gradients(loss, part), 1e-5)


def test_dropout_falls_alike_in_both_passes_of_a_batch_in_parts() -> None:
    once, again = gradients("infonce", 4, dropout=True), gradients("infonce", 4, dropout=True)
    assert same(once, again) and not same(once, gradients("infonce", 4), 1e-4)


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_a_run_that_is_stopped_at_any_step_and_resumed_is_the_run_that_was_not(
    ema: float, tmp_path: Path
) -> None:
    settings = TrainSettings(**(vars(SETTINGS) | {"ema": ema}))
    whole = Tiny()
    records = run(whole, settings, state=tmp_path / "whole")
    for stop_after in (1, 3):
        steps = iter(range(100))
        first, again = Tiny(), Tiny()
        run(
            first,
            settings,
            state=tmp_path / f"{stop_after}",
            stopped=lambda s=steps, n=stop_after: next(s) >= n,
        )
        rest = run(again, settings, state=tmp_path / f"{stop_after}")
        assert same(weights(whole), weights(again))
        assert [r.epoch for r in rest][-1] == records[-1].epoch == 3
    assert not same(weights(whole), weights(Tiny()), 1e-3)


def test_a_run_in_slices_that_end_with_a_check_point_arrives_where_one_in_a_piece_does(
    tmp_path: Path,
) -> None:
    whole, slices = Tiny(), [Tiny() for _ in range(6)]  # a step each
    run(whole, state=tmp_path / "whole")
    ends = [[r.epoch for r in run(cut, state=tmp_path / "cut", slice_s=1e-9)][-1:] for cut in slices]
    assert max(ends[:-1]) < [3] == ends[-1]
    assert same(weights(whole), weights(slices[-1]))


def test_a_state_that_is_cut_off_leaves_the_one_before_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = nn.Linear(2, 2)
    optimiser = torch.optim.AdamW(net.parameters())
    keeper = StateKeeper(tmp_path)

    def cut_off(tensors: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("the disk is full")

    for step in (2, 4, 6):  # all even: what is written next never takes the place of what is named
        nn.init.constant_(net.weight, float(step))
        keeper.save(net, optimiser, step, 1.0)
        keeper.wait()
    with monkeypatch.context() as patch, pytest.raises(OSError, match="full"):
        patch.setattr("mmdemo.training.checkpoint.save_file", cut_off)
        keeper.save(net, optimiser, 8, 1.0)
        keeper.wait()
    nn.init.zeros_(net.weight)
    assert StateKeeper(tmp_path).load(net, optimiser) == (6, 1.0)
    assert float(net.weight.detach().sum()) == 24.0


def test_a_state_counts_steps_and_one_that_called_them_epochs_is_still_gone_on_from(tmp_path: Path) -> None:
    net = nn.Linear(2, 2)
    optimiser = torch.optim.AdamW(net.parameters())
    keeper, facts = StateKeeper(tmp_path), tmp_path / "state.json"
    keeper.save(net, optimiser, 7, 1.0)
    keeper.wait()
    kept = json.loads(facts.read_text())
    assert kept["step"] == 7 and "epoch" not in kept
    facts.write_text(json.dumps({"epoch": kept.pop("step")} | kept))
    assert keeper.load(net, optimiser) == (7, 1.0)


def test_when_the_memory_is_full_the_parts_are_halved_and_nothing_else_changes(tmp_path: Path) -> None:
    messages: list[str] = []
    small, large = Tiny(fails_over=3), Tiny()
    settings = TrainSettings(**(vars(SETTINGS) | {"part": 2}))
    run(small, told=messages.append)
    run(large, settings)
    assert messages == [f"The memory is full: {n} pairs are embedded at once from here on." for n in (4, 2)]
    assert same(weights(small), weights(large), 1e-6)


def test_a_loss_that_is_no_number_rolls_back_and_again_and_again_is_told(tmp_path: Path) -> None:
    messages: list[str] = []
    records = run(Tiny(nan_at=5), state=tmp_path, told=messages.append)
    assert len(messages) == 1 and "half the learning rate" in messages[0]
    assert records[-1].epoch == 3 and all(np.isfinite(r.loss) for r in records)
    with pytest.raises(DataError, match="no number"):
        run(Tiny(nan_at=1))


def test_a_gradient_that_is_no_number_reaches_no_weight() -> None:
    tiny = Tiny()
    tiny.network["text"][0].weight.register_hook(lambda g: g * float("inf"))  # type: ignore[index]
    with pytest.raises(DataError, match=r"The gradient is no number at a learning rate of 0\.01"):
        run(tiny)
    assert all(np.isfinite(w).all() for w in weights(tiny).values())


def test_a_pair_that_makes_no_number_ends_the_run_by_its_name() -> None:
    rows = Rows()
    rows.x[11] = float("nan")
    with pytest.raises(NumberError, match="The vector of the medium of pair 11 is infinite or not a number"):
        list(Trainer(PairLearning(Tiny(), rows, SETTINGS), SETTINGS, "full", CPU).epochs())


def test_training_ends_when_nothing_gets_better_and_keeps_the_best(tmp_path: Path) -> None:
    measured = iter([10.0, 50.0, 40.0, 30.0, 20.0, 10.0])
    kept: list[dict[str, np.ndarray]] = []
    tiny = Tiny()

    def recall() -> float:
        kept.append(weights(tiny))
        return next(measured)

    settings = TrainSettings(**(vars(SETTINGS) | {"epochs": 6, "patience": 2}))
    records = run(tiny, settings, state=tmp_path, check=recall)
    assert [r.validation_recall for r in records] == [10.0, 50.0, 40.0, 30.0]
    assert same(weights(tiny), kept[1])


def test_the_average_leaves_its_untrained_beginning_within_forty_steps() -> None:
    network = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(network.weight)
    learner = Learner(network, nn.Module(), ema=0.99)
    nn.init.ones_(network.weight)
    for step in range(40):
        learner.average(step)
    learner.use_average()
    assert float(network.weight.detach()) > 0.999  # 0.33 without a warm-up


def test_an_average_over_many_steps_is_as_long_as_was_asked_for() -> None:
    network = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(network.weight)
    learner = Learner(network, nn.Module(), ema=0.9)
    nn.init.ones_(network.weight)
    for step in range(1000, 1005):
        learner.average(step)
    learner.use_average()
    assert float(network.weight.detach()) == pytest.approx(1 - 0.9**5)


def test_early_stopping_measures_and_keeps_averaged_weights_and_learning_goes_on_with_its_own(
    tmp_path: Path,
) -> None:
    measured = iter([10.0, 50.0, 40.0, 30.0])
    kept: list[dict[str, np.ndarray]] = []
    tiny, plain = Tiny(), Tiny()

    def recall() -> float:
        kept.append(weights(tiny))
        return next(measured)

    how = vars(SETTINGS) | {"epochs": 4, "patience": 3}
    raw: list[dict[str, np.ndarray]] = []
    alone = run(
        plain, TrainSettings(**how), state=tmp_path / "plain", check=lambda: raw.append(weights(plain)) or 1.0
    )
    records = run(tiny, TrainSettings(**(how | {"ema": 0.9})), state=tmp_path / "ema", check=recall)
    assert [r.loss for r in records] == [r.loss for r in alone]
    assert same(weights(tiny), kept[1])
    assert not any(same(averaged, own, 1e-4) for averaged, own in zip(kept, raw, strict=True))


def test_the_learning_rate_rises_and_falls_to_nothing() -> None:
    rates = [rate_at(step, 100) for step in range(100)]
    assert rates[0] == 0.1 and max(rates) == rates[10] == 1.0
    assert rates == [*sorted(rates[:11]), *sorted(rates[11:], reverse=True)] and rates[-1] < 0.001


class TinyWriter:
    """Writes tokens after a number of its own for each example; examples have different lengths."""

    at_once, rates = 4, {"full": 1e-2}

    def __init__(self) -> None:
        torch.manual_seed(5)
        self.model = nn.Linear(3, 7)

    def loss(self, examples: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, int]:
        logits = torch.cat([self.model(x).expand(len(tokens), -1) for x, tokens in examples])
        wanted = torch.cat([tokens for _, tokens in examples])
        return nn.functional.cross_entropy(logits, wanted, reduction="sum"), len(wanted)

    def save(self, folder: Path) -> None: ...


def sentences(count: int = 16) -> list[tuple[Tensor, Tensor]]:
    g = torch.Generator().manual_seed(2)
    return [
        (torch.randn(3, generator=g), torch.randint(0, 7, (1 + i % 5,), generator=g)) for i in range(count)
    ]


def write(writer: TinyWriter, settings: TrainSettings = SETTINGS, **how: object) -> list[EpochRecord]:
    learning = WriterLearning(writer, sentences())
    return list(Trainer(learning, settings, "full", CPU, **how).epochs())  # type: ignore[arg-type]


def test_a_batch_of_texts_in_parts_teaches_what_the_whole_does() -> None:
    whole, parts, plain = TinyWriter(), TinyWriter(), TinyWriter()
    WriterLearning(whole, sentences()).backward(range(16), 16, make_accelerator(CPU))
    WriterLearning(parts, sentences()).backward(range(16), 3, make_accelerator(CPU))
    loss, tokens = plain.loss(sentences())
    (loss / tokens).backward()
    for writer in (whole, parts):
        assert torch.allclose(writer.model.weight.grad, plain.model.weight.grad, atol=1e-6)  # type: ignore[arg-type]


def test_a_network_that_writes_has_all_that_the_loop_offers(tmp_path: Path) -> None:
    whole = TinyWriter()
    records = write(whole, state=tmp_path / "whole", check=likelihood_of(whole, sentences(6)))
    assert records[-1].validation_likelihood and records[0].validation_recall is None
    assert records[-1].validation_likelihood > (records[0].validation_likelihood or 100.0)
    cut: TinyWriter | None = None
    for _ in range(20):
        cut = TinyWriter()
        if write(cut, state=tmp_path / "cut", slice_s=1e-9):
            break
    for _ in range(20):
        write(cut := TinyWriter(), state=tmp_path / "cut", slice_s=1e-9)
    assert cut is not None and torch.equal(cut.model.weight, whole.model.weight)


def still() -> Tiny:
    """Without dropout, which each process would draw by itself."""
    tiny = Tiny()
    for net in tiny.network.values():
        net[1].p = 0.0  # type: ignore[index]
    return tiny


def one_step(loss: str, count: int, part: int) -> dict[str, Tensor]:
    """The loss and the gradients of one batch, of which this process embeds its share."""
    tiny, accelerator = still(), make_accelerator(CPU)
    learning = PairLearning(tiny, Rows(), TrainSettings(loss=loss))
    learning.prepare(accelerator)
    tiny.network.train()
    value = learning.backward(share_of(range(count)), part, accelerator)
    named = [*tiny.network.named_parameters(), *learning.extras.named_parameters()]
    return {"loss": torch.tensor(value)} | {n: p.grad for n, p in named if p.grad is not None}


def one_page(count: int) -> dict[str, Tensor]:
    """The same of a network that writes."""
    writer = TinyWriter()
    learning = WriterLearning(writer, sentences())
    value = learning.backward(share_of(range(count)), 2, make_accelerator(CPU))
    likelihood = likelihood_of(writer, sentences(count))()
    grad = writer.model.weight.grad
    assert grad is not None
    return {"loss": torch.tensor(value), "grad": grad, "likelihood": torch.tensor(likelihood)}


PROCESS = """
import sys, torch
from dataclasses import replace
from tests.training.test_network import TinyWriter, one_page, one_step, still, write
from tests.training.tiny import SETTINGS, run
from mmdemo.training.processes import rows_of_all, share_of
found = {}
for part, batch in ((0, 8), (2, 8), (0, 5), (2, 5)):  # whole shares, and shares in parts; equal ones or not
    run(tiny := still(), replace(SETTINGS, part=part, batch=batch))
    found |= {f"pairs {part} {batch} {n}": t for n, t in tiny.network.state_dict().items()}
for loss, count, part in (("infonce", 7, 8), ("infonce", 7, 2), ("sigmoid", 5, 1), ("sigmoid", 1, 8)):
    found |= {f"step {loss} {count} {part} {n}": t for n, t in one_step(loss, count, part).items()}
for count in (5, 1):
    found |= {f"page {count} {n}": t for n, t in one_page(count).items()}
write(writer := TinyWriter())
found |= {f"texts {n}": t for n, t in writer.model.state_dict().items()}
found["rows"] = rows_of_all(torch.tensor([[float(i)] for i in share_of(range(5))]))
torch.save(found, sys.argv[1])
"""


@pytest.mark.slow
def test_two_processes_learn_what_one_does_though_a_batch_cannot_be_divided(tmp_path: Path) -> None:
    port = str(free_port())

    def process(name: str, **variables: str) -> subprocess.Popen[bytes]:
        environment = os.environ | {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "1"} | variables
        return subprocess.Popen([sys.executable, "-c", PROCESS, str(tmp_path / name)], env=environment)

    world = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "GLOO_SOCKET_IFNAME": "lo"}
    started = [process(f"r{r}", RANK=str(r), LOCAL_RANK=str(r), **world) for r in range(2)]
    started.append(process("alone"))
    assert [p.wait(120) for p in started] == [0, 0, 0]
    found = {n: torch.load(tmp_path / n, weights_only=True) for n in ("r0", "r1", "alone")}
    untrained = {f"texts {n}": t for n, t in TinyWriter().model.state_dict().items()}
    for part, batch in ((0, 8), (2, 8), (0, 5), (2, 5)):
        untrained |= {f"pairs {part} {batch} {n}": t for n, t in Tiny().network.state_dict().items()}
    assert untrained.keys() == {n for n in found["alone"] if n.startswith(("pairs", "texts"))}
    for name, alone in found["alone"].items():
        assert torch.equal(found["r0"][name], found["r1"][name]), name
        assert torch.allclose(found["r0"][name], alone, atol=1e-5), name
        assert name not in untrained or not torch.allclose(alone, untrained[name], atol=1e-3), name
    assert found["r0"]["rows"][:, 0].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert all(float(t.abs().max()) > 0 for n, t in found["r0"].items() if n.startswith(("step", "page")))
