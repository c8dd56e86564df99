"""Several processes under `accelerate launch` make the version that one makes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from mmdemo.command_line import main
from mmdemo.labeling.snapshot import LEAST_VALIDATION
from mmdemo.models.version_source import NETWORK
from mmdemo.service.app import App
from mmdemo.store.splits import TRAIN, VALIDATION
from mmdemo.store.tables import Pair
from mmdemo.training.progress import read_progress
from tests import checkpoints
from tests.training.test_architectures import labelled
from tests.waiting import free_port

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_two_processes_that_accelerate_launches_write_the_version_that_one_writes(
    tmp_path: Path,
    make_app: Callable[..., App],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = f"dual:{checkpoints.save_clip(tmp_path / 'clip')}"
    app = labelled(make_app, "image-text", model)
    with app.ws.database.write() as session:  # an odd number of validation pairs, and batches of three
        for pair in app.ws.pairs.browse("image-text", split=TRAIN)[:LEAST_VALIDATION]:
            session.get(Pair, pair.id).split = VALIDATION  # type: ignore[union-attr]
    port = str(free_port())
    for name, value in {"MODEL": model, "SAMPLES": "0", "DEVICE": "cpu"}.items():
        monkeypatch.setenv(f"MMDEMO_{name}", value)
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    launch = ["-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2", "--num_machines", "1"]
    launch += ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", port]
    train = ["train", "--method", "full", "--epochs", "2", "--batch", "3", "--json"]
    train += ["--workspace", str(app.ws.folder)]
    two = subprocess.run(
        [sys.executable, *launch, "-m", "mmdemo", *train], cwd=ROOT, capture_output=True, text=True
    )
    assert two.returncode == 0, two.stderr[-2000:]
    capsys.readouterr()
    assert main(train) == 0  # and this process by itself
    said = two.stdout, capsys.readouterr().out
    lines = [[line for line in out.splitlines() if line.startswith("{")] for out in said]
    assert [len(of) for of in lines] == [1, 1]  # only the first process answers
    answers = [json.loads(of[0]) for of in lines]
    assert len(app.ws.runs.of_tasks(["image-text"])) == 2
    curves = [[r["validation_recall"] for r in read_progress(app.ws, a["run"])] for a in answers]
    assert curves[0] == curves[1] and len(curves[0]) == 2 and None not in curves[0]
    together, alone = (
        load_file(app.ws.version_folder(a["model"]) / NETWORK / "model.safetensors") for a in answers
    )
    untrained = load_file(tmp_path / "clip" / "model.safetensors")
    assert all(np.allclose(together[name], alone[name], atol=1e-5) for name in alone)
    assert not all(np.allclose(alone[name], untrained[name], atol=1e-5) for name in alone)
    assert answers[0]["after"] == answers[1]["after"]
