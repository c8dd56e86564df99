"""A Hub that cannot be reached is said so at once, once, and by its name."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from mmdemo.errors import UserError
from mmdemo.models.hub import reach
from mmdemo.models.hub.loading import load_config
from mmdemo.settings import ASSETS


@pytest.fixture
def nobody() -> str:
    """An address of this machine at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


@pytest.mark.slow
@pytest.mark.parametrize("asked", [("models", "use", "me/clip"), ("import", "datasets:me/pictures")])
def test_what_cannot_be_fetched_is_one_line_and_quick(
    asked: tuple[str, ...], tmp_path: Path, nobody: str
) -> None:
    own = {
        "HF_ENDPOINT": f"http://{nobody}",
        "HF_HUB_CACHE": str(tmp_path),
        "MMDEMO_DEVICE": "cpu",
        "HF_DATASETS_CACHE": str(tmp_path),
    }
    environment = {k: v for k, v in os.environ.items() if k != "HF_HUB_OFFLINE"} | own
    done = subprocess.run(
        [sys.executable, "-m", "mmdemo", *asked, "--workspace", str(tmp_path / "w")],
        env=environment | {"MMDEMO_SAMPLES": "0"},
        capture_output=True,
        text=True,
        cwd=ASSETS.parent,
    )
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and f"{nobody} cannot be reached" in done.stderr


@pytest.mark.slow
def test_a_hub_that_never_answers_is_waited_for_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub import constants

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setattr(constants, "ENDPOINT", f"http://{address}")
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
        monkeypatch.setattr(reach, "ASKED_S", 0.2)
        for _ in range(3):
            with pytest.raises(UserError, match=f"could not be found.*{address} cannot be reached"):
                load_config("me/clip")
        silent.setblocking(False)
        assert silent.accept()[1]  # who asked the first time
        with pytest.raises(BlockingIOError):
            silent.accept()  # nobody has asked again
