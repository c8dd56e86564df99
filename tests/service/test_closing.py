"""What runs behind the page ends with it, and a command starts nothing that it does not wait for."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mmdemo.command_line.ending import ENDS_S
from mmdemo.service import context
from mmdemo.service.app import App
from mmdemo.service.closing import CLOSE_S
from mmdemo.settings import ASSETS
from tests import checkpoints
from tests.conftest import TASK


def behind() -> set[str]:
    return {t.name for t in threading.enumerate() if t.name.startswith(("mmdemo-index", "mmdemo-queue"))}


def test_what_runs_behind_the_page_has_ended_when_the_workspace_is_closed(
    make_app: Callable[..., App],
) -> None:
    before = behind()
    app = make_app("closing")
    app.context.warm(TASK)
    app.context.queue_of(TASK).ask(1)
    app.models.aligner(TASK)
    app.context.keeper_of(TASK).request()
    app.close()
    assert behind() <= before


@pytest.mark.slow
def test_a_command_that_takes_a_model_ends_without_a_word_on_standard_error(tmp_path: Path) -> None:
    folder = checkpoints.save_clip(tmp_path / "clip")
    command = [sys.executable, "-m", "mmdemo", "models", "use", f"dual:{folder}", "--workspace"]
    done = subprocess.run(
        [*command, str(tmp_path / "w")], capture_output=True, text=True, cwd=ASSETS.parent, timeout=240
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_what_does_not_end_is_left_soon_and_the_database_is_released_all_the_same(
    make_app: Callable[..., App], monkeypatch: pytest.MonkeyPatch
) -> None:
    app, never, sweeps, released = make_app(samples=False), threading.Event(), threading.Event(), []

    class Hangs:
        def close(self) -> None:
            never.wait()

    def sweep() -> None:
        sweeps.set()
        never.wait()

    monkeypatch.setattr(context, "SWEPT_EVERY_S", 0.001)
    monkeypatch.setattr(app.context, "sweep", sweep)
    monkeypatch.setattr(app.ws, "close", lambda: released.append("released"))
    app.context.once("hangs", Hangs)
    app.context._begin_sweeping()
    sweeps.wait()
    closing_thread = threading.Thread(target=app.close, args=(time.monotonic() + 0.1,), daemon=True)
    closing_thread.start()
    closing_thread.join(20)
    assert released == ["released"]
    never.set()


def test_all_is_closed_before_a_served_page_is_left() -> None:
    assert CLOSE_S + 1 < ENDS_S  # seconds: what is closed last has the rest


def test_a_model_that_is_loaded_when_all_is_closed_begins_nothing_any_more(
    make_app: Callable[..., App], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(samples=False)
    loaded: list[Callable[[], None]] = []
    monkeypatch.setattr(app.models, "load_in_background", lambda task, then: loaded.append(then))
    begun: list[str] = []
    app.context.warm("video-text", lambda: begun.append("then"))
    monkeypatch.setattr(app.context, "keeper_of", begun.append)
    app.close()
    loaded[0]()
    assert begun == []
