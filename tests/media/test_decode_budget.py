"""Who decodes has its turn: nobody waits without an end, and what fits goes before what does not fit yet."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from mmdemo.errors import BusyError
from mmdemo.media.decode_budget import DecodeBudget
from mmdemo.media.video import decode_video, frame_at, probe_video
from tests.films import write_film
from tests.waiting import wait_for

TIMEOUT_S = 20


@pytest.fixture
def film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A video as large as there may be: each takes all the memory there is for videos."""
    monkeypatch.setattr("mmdemo.media.video.BYTES_A_PIXEL", 10**9)
    return write_film(tmp_path / "film.mp4", ["mosquito", "an_apple"])


@pytest.fixture
def looked_through(film: Path) -> Iterator[None]:
    """Somebody is at a frame of it, as while that is encoded."""
    walk = decode_video(film)
    next(walk)
    yield
    walk.close()  # type: ignore[attr-defined]


def begun(work: threading.Thread) -> threading.Thread:
    work.start()
    return work


@pytest.mark.usefixtures("looked_through")
def test_a_frame_of_a_video_is_shown_while_large_ones_are_looked_through(film: Path) -> None:
    seen: list[float] = []

    def look() -> None:
        seen.append(probe_video(film).duration_s)
        seen.append(frame_at(film, 0.5).time_s)

    begun(threading.Thread(target=look, daemon=True)).join(TIMEOUT_S)
    assert len(seen) == 2


def test_who_waits_for_an_answer_is_told_that_too_much_is_decoded_and_who_does_not_has_its_turn(
    film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk, times = decode_video(film), []
    next(walk)
    monkeypatch.setattr("mmdemo.media.video.MOST_WAIT_S", 0.01)
    with pytest.raises(BusyError, match="Too much is decoded just now"):
        next(decode_video(film))

    def look() -> None:
        times.extend(frame.time_s for frame in decode_video(film, patient=True))

    behind = begun(threading.Thread(target=look, daemon=True))
    with pytest.raises(BusyError):
        next(decode_video(film))
    assert not times
    walk.close()  # type: ignore[attr-defined]
    behind.join(TIMEOUT_S)
    assert len(times) > 1


def test_a_wait_that_was_given_up_holds_nothing() -> None:
    budget = DecodeBudget(100, at_once=2)
    with budget.taken(60), pytest.raises(BusyError), budget.taken(60, most_wait_s=0.01):
        pass
    with budget.taken(60, most_wait_s=0), budget.taken(40, most_wait_s=0):
        pass


def test_what_fits_goes_before_what_does_not_but_only_so_often() -> None:
    budget, done = DecodeBudget(100, at_once=10, most_passed=2), threading.Event()

    def large() -> None:
        with budget.taken(100):
            done.set()

    with ExitStack() as held:
        held.enter_context(budget.taken(50))
        waits = begun(threading.Thread(target=large, daemon=True))
        wait_for(lambda: len(budget._waiting) == 1)
        for _ in range(2):
            held.enter_context(budget.taken(1, most_wait_s=TIMEOUT_S))
        with pytest.raises(BusyError), budget.taken(1, most_wait_s=0.01):
            pass
        assert not done.is_set()
    waits.join(TIMEOUT_S)
    assert done.is_set()


FORKED = """
import os
from mmdemo.media.container import VIDEOS, WHOLE_VIDEOS
from mmdemo.media.decode_budget import DECODES
budgets = (VIDEOS, WHOLE_VIDEOS, DECODES)
for budget in budgets:
    budget.taken(budget.most_bytes).__enter__()
child = os.fork()
if not child:
    for budget in budgets:
        budget.taken(budget.most_bytes, most_wait_s=0).__enter__()
    os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="nothing forks there")
def test_a_process_that_was_forked_holds_nothing_of_its_parent() -> None:
    told = subprocess.run(
        [sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=60, check=True
    )
    assert told.stdout.strip() == "7", told.stderr
