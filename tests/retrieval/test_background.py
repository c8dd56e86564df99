"""What runs behind the page is stopped by who began it, or by who may label."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from mmdemo.asker import OWNER, Asker, asking
from mmdemo.errors import AccessError, UserError
from mmdemo.retrieval.background import Background
from tests.waiting import wait_for

VISITOR, OTHER = Asker("viewer", "one's"), Asker("viewer", "another's")


@pytest.fixture
def background() -> Iterator[Background]:
    found = Background("tried")
    yield found
    found.close()


def begin(background: Background, asker: Asker) -> threading.Event:
    """Begin what goes on until it is stopped; what is set then."""
    begun, ended = threading.Event(), threading.Event()

    def work(stopped: object) -> None:
        begun.set()
        while not stopped():  # type: ignore[operator]
            ended.wait(0.01)
        ended.set()

    with asking(asker):
        background.start("film", work, "It failed")
    assert begun.wait(5)
    return ended


@pytest.mark.parametrize("who", [VISITOR, Asker("annotator", "a third's"), Asker("owner")])
def test_who_began_it_and_who_may_label_can_stop_it_and_no_other_visitor(
    background: Background, who: Asker
) -> None:
    ended = begin(background, VISITOR)
    for stranger in (OTHER, Asker("viewer")):
        with asking(stranger), pytest.raises(AccessError, match="Somebody else began this"):
            background.stop("film")
    assert not ended.is_set()
    with asking(who):
        background.stop("film")
    assert ended.wait(5)


def test_what_is_not_going_on_is_stopped_by_anybody_without_a_word(background: Background) -> None:
    with asking(OTHER):
        background.stop("film")


def test_what_visitors_have_waiting_keeps_nobody_waiting_who_works_here(background: Background) -> None:
    begun: list[str] = []

    def start(key: str, asker: Asker) -> None:
        def work(stopped: object) -> None:
            begun.append(key)
            while not stopped():  # type: ignore[operator]
                threading.Event().wait(0.01)

        with asking(asker):
            background.start(key, work, "It failed")

    for key in ("one", "two", "three"):
        start(key, VISITOR)
    wait_for(lambda: begun == ["one"], 5)
    start("the owner's", OWNER)
    wait_for(lambda: begun == ["one", "the owner's"], 5)
    with asking(OWNER):  # who asks for the last of those, and has one on
        assert background.asked_again("three") and not background.asked_again("four")
        background.stop("one")
    wait_for(lambda: begun == ["one", "the owner's", "three"], 5)


def test_of_what_failed_the_latest_are_told_and_no_more_is_kept(
    background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmdemo.retrieval.background.MOST_TOLD", 3)

    def fails(stopped: object) -> None:
        raise UserError("It is damaged.", "Choose another.")

    for i in range(6):
        background.start(i, fails, "It failed")
        wait_for(lambda: not background.running())
    assert [bool(background.error(i)) for i in range(6)] == [False] * 3 + [True] * 3
