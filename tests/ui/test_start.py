"""What happens when the page is started."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mmdemo.asker import OWNER
from mmdemo.service.app import App
from mmdemo.settings import ASSETS, load_settings
from mmdemo.ui.gate import ask

ROOT = ASSETS.parent


@pytest.mark.slow
@pytest.mark.parametrize("command", [["app.py"], ["-m", "mmdemo", "serve"]])
def test_a_port_in_use_is_one_sentence(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        monkeypatch.setenv("GRADIO_SERVER_PORT", port)
        monkeypatch.setenv("MMDEMO_SAMPLES", "0")
        done = subprocess.run(
            [sys.executable, *command, "--workspace", str(tmp_path)],
            capture_output=True, text=True, cwd=ROOT, timeout=120,
        )  # fmt: skip
    assert done.returncode == 2
    said = done.stderr.strip().splitlines()[-1]
    assert (
        said.startswith(f"mmdemo: Port {port} on 127.0.0.1 cannot be served")
        and "Traceback" not in done.stderr
    )


@pytest.mark.slow
def test_who_asks_before_the_samples_are_in_waits_for_them(tmp_path: Path) -> None:
    app = App(load_settings({}, workspace=tmp_path / "w", device="cpu"), samples_later=True)
    answers: list[dict[str, list[str]]] = []
    try:
        assert app.ws.items.count("image") == 0
        early = threading.Thread(target=lambda: answers.append(ask(app, "samples", {}, "page", OWNER)))
        early.start()
        early.join(0.2)
        assert early.is_alive()
        app.context._put_samples()
        early.join(30)
        assert len(answers[0]["samples"]) == 12
    finally:
        app.close()
