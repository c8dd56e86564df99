"""Page, loaders and background threads may each be the first to need the heavy libraries."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import mmdemo
from mmdemo.heavy_imports import heavy, lazy
from mmdemo.settings import ASSETS
from tests import checkpoints

AT_ONCE = """
import sys, threading, traceback
from pathlib import Path
import numpy as np
from mmdemo.settings import load_settings
from mmdemo.models.find_model import preset_for

clip = sys.argv[1]
settings = load_settings({}, device="cpu", workspace=sys.argv[2], samples=False)
begin, failed = threading.Barrier(6), []

def config():
    preset_for("image-text", clip)

def voice():
    from mmdemo.media.voice_activity import has_speech
    has_speech(np.zeros(16_000, np.float32))

def load(name):
    from mmdemo.models.load import load_towers
    from mmdemo.models.find_model import find_preset
    load_towers(find_preset(name), settings)[0].text.encode(["a cat"])

def learn():
    from mmdemo.models.device import decide_compute
    from mmdemo.training.trainer import make_accelerator
    from mmdemo.training.adapting import Method, let_learn
    import torch
    make_accelerator(decide_compute("cpu"))
    let_learn(torch.nn.Sequential(torch.nn.Linear(2, 2)), Method("full"), decide_compute("cpu"))

def alone(job, *arguments):
    begin.wait()
    try:
        job(*arguments)
    except BaseException:
        failed.append(traceback.format_exc())

jobs = [(config,), (voice,), (load, "efficientnet-lite0-devise"), (load, f"dual:{clip}"), (learn,)]
jobs.append((load, "whisper-tiny-en-minilm"))
threads = [threading.Thread(target=alone, args=job) for job in jobs]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(*failed, sep="\\n\\n")
sys.exit(len(failed))
"""


@pytest.mark.slow
@pytest.mark.parametrize("attempt", range(3))
def test_whoever_comes_first_the_libraries_are_whole_for_all(attempt: int, tmp_path: Path) -> None:
    folder = checkpoints.save_clip(tmp_path / "clip")
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", AT_ONCE, str(folder), str(tmp_path / "w")],
        capture_output=True,
        text=True,
        cwd=ASSETS.parent,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        timeout=240,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def test_no_file_imports_what_two_threads_must_not_import_at_once() -> None:
    guarded = {"transformers", "peft", "accelerate", "faster_whisper", "ctranslate2"}
    wrong = []
    for file in sorted(Path(mmdemo.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            wrong += [f"{file.name}:{node.lineno}" for n in names if n.split(".")[0] in guarded]
    assert wrong == []


def test_what_is_not_installed_is_said_each_time() -> None:
    for _ in range(2):
        with pytest.raises(ModuleNotFoundError, match="no_such_library"):
            heavy("no_such_library")


def test_a_lazy_function_is_imported_when_it_is_called() -> None:
    assert lazy("json:dumps")([1]) == "[1]" and lazy("json:dumps").__name__ == "dumps"
    with pytest.raises(ModuleNotFoundError):
        lazy("no_such_module:f")()
