"""The verb `train` of the command line: by one process, or by several that `accelerate launch` started."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, Any

from mmdemo.errors import UserError
from mmdemo.models.protocols import CAPTIONING

if TYPE_CHECKING:
    from mmdemo.demo import Demo

SETTINGS = {  # that it takes, as the Fine-tune tab does, and what to say of each
    "epochs": "0: as many as the method's default",
    "learning-rate": "default: the method's",
    "weight-decay": "",
    "batch": "pairs a step, over all processes; 0: the method's default",
    "part": "pairs embedded at once, of a larger batch; 0: all",
    "dropout": "of a head",
    "loss": "infonce, sigmoid, triplet or matching",
    "head": "residual, temporal, concatenation or cross-attention",
    "ema": "averages the weights over about 1 / (1 - EMA) steps; 0: not",
    "patience": "epochs without a better one after which it ends; 0: never",
    "seed": "",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its own arguments."""
    parser.add_argument(
        "--method", choices=["head", "lora", "full"], help="default: the first that the model has"
    )
    for name, told in SETTINGS.items():
        parser.add_argument(f"--{name}", help=told)
    parser.add_argument("--recompute", action="store_true", help="less memory, more time")
    parser.add_argument("--deterministic", action="store_true", help="only deterministic algorithms")


def train(demo: Demo, options: argparse.Namespace) -> dict[str, Any] | None:
    """Fine-tune and answer; of the processes of a launch only the first answers."""
    from mmdemo.models.manager import version_source
    from mmdemo.models.presets import PROPOSED
    from mmdemo.training.config import EpochRecord, settings_from_words
    from mmdemo.training.runs import create_run
    from mmdemo.training.worker import Worker

    task = demo.version_task(options.task)
    active = demo.ws.versions.active(task)
    method = options.method or (
        "lora" if active == PROPOSED else version_source(demo.ws, active).preset.methods[0]
    )

    def progress(record: EpochRecord) -> None:
        recall = "" if record.recall is None else f", held-out recall {record.recall:.1f} %"
        print(f"epoch {record.epoch}/{record.epochs}: loss {record.loss:.3f}{recall}", file=sys.stderr)

    words = {name.replace("-", "_"): getattr(options, name.replace("-", "_")) for name in SETTINGS}
    settings = settings_from_words(words | {n: getattr(options, n) for n in ("recompute", "deterministic")})
    worker = Worker(demo.ws, demo.models)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        from mmdemo.training.launch import meet
        from mmdemo.training.network_run import take_part

        def create() -> str:
            return create_run(demo.ws, task, method, settings, "when-better", holder=worker.name)

        run_id, first = meet(demo.settings, method, create)
        if not first:
            take_part(demo.ws, run_id)
            return None
    else:
        run_id = create_run(demo.ws, task, method, settings, "when-better", holder=worker.name)
    run = worker.see_to(run_id, progress)
    if run.status == "failed":
        raise UserError(run.message)
    result = run.result or {}
    return {
        "run": run.id,
        "model": run.version_id,
        "status": run.status,
        "seconds": round(result.get("seconds", 0.0), 2),
        "before": result.get("before"),
        "after": result.get("after"),
        "gains": result.get("gains"),
        **({"captions": result.get("captions")} if task == CAPTIONING else {}),
        "promoted": run.decision == "promoted",
    }
