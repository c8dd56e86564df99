"""A run's state on disk: an interruption while it is written, and a full disk, leave the one before."""

from __future__ import annotations

import json
import multiprocessing
import os
from pathlib import Path

import pytest
import torch
from torch import nn

import mmdemo.training.checkpoint as checkpoint
from mmdemo.errors import StorageError
from mmdemo.training.checkpoint import DamagedState, StateKeeper
from tests.full_disk import full_disk


def network(value: float) -> tuple[nn.Linear, torch.optim.Optimizer]:
    made = nn.Linear(64, 64)
    nn.init.constant_(made.weight, value)
    return made, torch.optim.AdamW(made.parameters())


def kept(folder: Path) -> tuple[int, float]:
    """After which step the state on disk is, and what its weights are."""
    weights, optimiser = network(0.0)
    step, _ = StateKeeper(folder).load(weights, optimiser)
    return step, float(weights.weight.detach()[0, 0])


def save(folder: Path, step: int) -> None:
    keeper = StateKeeper(folder)
    keeper.save(*network(float(step)), step, 1.0)
    keeper.wait()


def killed_while_writing(folder: Path, step: int, after: int) -> None:
    """Save, and be killed at the so many-th thing that is asked of the disk."""
    asked = 0
    sync, rename = os.fsync, Path.replace

    def count() -> None:
        nonlocal asked
        asked += 1
        if asked == after:
            os._exit(9)

    def fsync(handle: int) -> None:
        count()
        sync(handle)

    def replace(path: Path, target: Path) -> Path:
        count()
        return rename(path, target)

    os.fsync, Path.replace = fsync, replace  # type: ignore[method-assign,assignment]
    save(folder, step)
    os._exit(0)


@pytest.mark.parametrize("steps", [(2, 4, 6), (1, 2, 3), (4, 4, 4)])  # of epochs with an even number of steps
@pytest.mark.slow
def test_a_kill_at_any_moment_of_a_save_leaves_a_state_that_is_whole(
    tmp_path: Path, steps: tuple[int, ...]
) -> None:
    first, second, third = steps
    fork = multiprocessing.get_context("fork")
    after, codes = 0, {9}
    while 9 in codes:
        after += 1
        folder = tmp_path / str(after)
        save(folder, first)
        save(folder, second)
        process = fork.Process(target=killed_while_writing, args=(folder, third, after))
        process.start()
        process.join()
        codes = {process.exitcode}
        assert kept(folder) in {(second, float(second)), (third, float(third))}
        save(folder, third + 10)  # and the run goes on
        assert kept(folder) == (third + 10, third + 10.0)
        assert len(list(folder.glob("state-*.safetensors"))) == 1
    assert after > 4  # file, name and folder, of the weights and of what names them


def test_a_full_disk_keeps_the_only_good_state(tmp_path: Path) -> None:
    save(tmp_path, 2)
    for step in (3, 4):
        with full_disk(10_000), pytest.raises(StorageError, match="The disk is full"):
            save(tmp_path, step)
        assert kept(tmp_path) == (2, 2.0)
    assert {path.name for path in tmp_path.iterdir()} == {"state.json", "state-2.safetensors"}


def test_a_state_that_an_earlier_mmdemo_has_written_is_gone_on_from(tmp_path: Path) -> None:
    save(tmp_path, 3)
    (tmp_path / "state-3.safetensors").rename(tmp_path / "state-0.safetensors")
    facts = {"epoch": 3, "seconds": 1.0, "file": "state-0.safetensors"}
    (tmp_path / "state.json").write_text(json.dumps(facts))
    assert kept(tmp_path) == (3, 3.0)


@pytest.mark.parametrize("damage", ["state.json", "state-3.safetensors"])
def test_a_damaged_state_is_said_to_be_damaged_and_puts_nothing_back(tmp_path: Path, damage: str) -> None:
    save(tmp_path, 3)
    (tmp_path / damage).write_bytes((tmp_path / damage).read_bytes()[:20])
    weights, optimiser = network(7.0)
    with pytest.raises(DamagedState, match="damaged"):
        checkpoint.StateKeeper(tmp_path).load(weights, optimiser)
    assert float(weights.weight.detach()[0, 0]) == 7.0
