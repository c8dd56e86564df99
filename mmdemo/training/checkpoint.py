"""A run's whole state on disk: weights and optimiser as safetensors, written while computing goes on."""

from __future__ import annotations

import json
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from mmdemo.errors import StorageError, is_disk_full
from mmdemo.media.below import below
from mmdemo.store.durable import replacing
from mmdemo.training.disk_room import disk_full

FACTS = "state.json"  # names the file that there is to go on from


class StateKeeper:
    """Saves and loads the state of a run in a folder.

    One save is under way at most: the next waits for it, so a kill loses what was computed since the
    last one at the worst, and what is there is always whole. Each has a file of its own, called by its step:
    it is on disk before `state.json` names it, and the one before goes after that.

    Args:
        folder: where; made when it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="state")
        self._saving: Future[None] | None = None

    def exists(self) -> bool:
        """Whether there is a state to go on from."""
        return (self._folder / FACTS).exists()

    def save(self, weights: nn.Module, optimiser: torch.optim.Optimizer, step: int, seconds: float) -> None:
        """Keep the state after a step; returns as soon as it is copied in memory."""
        self.wait()
        tensors = {f"head.{name}": t for name, t in weights.state_dict().items()}
        for i, slots in optimiser.state_dict()["state"].items():
            tensors.update({f"optimiser.{i}.{name}": t for name, t in slots.items()})
        copies = {key: t.detach().to("cpu", copy=True).contiguous() for key, t in tensors.items()}
        self._saving = self._pool.submit(self._write, copies, step, seconds)

    def wait(self) -> None:
        """Wait for the save that is under way; raises what went wrong with it."""
        if self._saving is not None:
            self._saving.result()
            self._saving = None

    def load(self, weights: nn.Module, optimiser: torch.optim.Optimizer) -> tuple[int, float]:
        """Put the state back; returns the steps that are done and the seconds they took.

        Raises:
            DamagedState: it cannot be read; nothing was put back.
            StorageError: it is another model's.
            OutsideError: it is said to lie elsewhere.
        """
        try:
            facts = json.loads((self._folder / FACTS).read_text(encoding="utf-8"))
            tensors = load_file(below(self._folder, str(facts["file"])))
            step = facts["step"] if "step" in facts else facts["epoch"]  # what it was called before
            done = int(step), float(facts["seconds"])
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as e:
            raise DamagedState("The check-point of this run is damaged.", "The run begins anew.") from e
        try:
            weights.load_state_dict(
                {k.removeprefix("head."): t for k, t in tensors.items() if k.startswith("head.")}
            )
        except RuntimeError as e:  # of another method, or of another version of mmdemo
            raise StorageError(
                "The check-point of this run does not fit its model.", "Remove the run and start a new one."
            ) from e
        slots: dict[int, dict[str, Tensor]] = {}
        for key, tensor in tensors.items():
            if key.startswith("optimiser."):
                _, i, name = key.split(".", 2)
                slots.setdefault(int(i), {})[name] = tensor
        optimiser.load_state_dict(optimiser.state_dict() | {"state": slots})
        return done

    def _write(self, tensors: dict[str, Tensor], step: int, seconds: float) -> None:
        kept = self._folder / f"state-{step}.safetensors"
        try:
            with replacing(kept) as part:
                save_file(tensors, part)
            _write_json(self._folder / FACTS, {"step": step, "seconds": seconds, "file": kept.name})
        except Exception as e:
            if is_disk_full(e):
                raise disk_full(sum(t.nbytes for t in tensors.values())) from e
            raise
        for earlier in self._folder.glob("state-*.safetensors"):
            if earlier != kept:
                earlier.unlink(missing_ok=True)


class DamagedState(StorageError):
    """A check-point that cannot be read, as after a fault of the disk."""


def _write_json(path: Path, facts: dict[str, object]) -> None:
    with replacing(path) as part:
        part.write_text(json.dumps(facts), encoding="utf-8")


class BestKeeper:
    """Keeps the weights that measured best, and says when none were better for long (early stopping).

    Args:
        folder: of the state.
        patience: epochs without a better one after which it is enough; 0: never, and nothing is kept.
        writes: whether this process is the one that writes.
    """

    def __init__(self, folder: Path, patience: int, writes: bool = True) -> None:
        self._folder = folder
        self._writes = writes
        self._patience = patience
        facts = folder / "best.json"
        self._best, self._waited = -1.0, 0
        if facts.exists():
            kept = json.loads(facts.read_text(encoding="utf-8"))
            self._best, self._waited = float(kept["recall"]), int(kept["waited"])

    @property
    def waited_enough(self) -> bool:
        """Whether to stop."""
        return 0 < self._patience <= self._waited

    @property
    def waited(self) -> int:
        """Epochs since the best."""
        return self._waited if self._patience else 0

    def offer(self, weights: nn.Module, recall: float) -> None:
        """The weights after an epoch, and what they measure in percent."""
        if not self._patience:
            return
        if recall > self._best:
            self._best, self._waited = recall, 0
            if not self._writes:
                return
            with replacing(self._folder / "best.safetensors") as part:
                save_file({n: t.detach().cpu().contiguous() for n, t in weights.state_dict().items()}, part)
        else:
            self._waited += 1
        if self._writes:
            _write_json(self._folder / "best.json", {"recall": self._best, "waited": self._waited})

    def restore(self, weights: nn.Module) -> None:
        """Put the best back, where any was kept."""
        path = self._folder / "best.safetensors"
        if path.exists():
            weights.load_state_dict(load_file(path))
