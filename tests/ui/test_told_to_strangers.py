"""What went wrong is told to strangers without what the machine says of itself; its owner finds that."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from sqlalchemy.exc import OperationalError

from mmdemo.errors import StorageError, UserError, unforeseen
from mmdemo.retrieval.background import Background
from mmdemo.service.app import App
from mmdemo.store.database_errors import in_words
from mmdemo.ui.gate import hide_folders
from tests.ui.conftest import gated
from tests.waiting import wait_for

SECRET = (
    "(psycopg.OperationalError) connection to 10.1.2.3 failed [SQL: SELECT pin FROM people] /srv/private/x"
)
Make = Callable[..., App]


def test_what_nobody_counted_on_behind_the_page_is_told_without_its_words_and_logged_with_them(
    caplog: pytest.LogCaptureFixture,
) -> None:
    background = Background("tried")

    def work(stopped: object) -> None:
        raise RuntimeError(SECRET)

    background.start("film", work, "The video could not be looked through")
    wait_for(lambda: not background.is_running("film"))
    told = "The video could not be looked through (RuntimeError). The log says more."
    assert background.error("film") == told == unforeseen(told.partition(" (")[0], RuntimeError(SECRET))
    assert SECRET in caplog.text


def test_a_database_that_refuses_its_user_names_nobody_and_nothing_of_itself(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class OfPostgresql(Exception):
        sqlstate = "42501"

    with (
        caplog.at_level(logging.WARNING),
        pytest.raises(StorageError) as refused,
        in_words("Nothing was saved", None),
    ):
        raise OperationalError("SELECT 1", {}, OfPostgresql('role "admin" at 10.1.2.3 may not'))
    assert str(refused.value).startswith("Nothing was saved: the database lets this user do too little.")
    assert "10.1.2.3" in caplog.text


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("/srv/private/films/a.mp4 is damaged.", "a.mp4 is damaged."),
        ("[Errno 5] read: '/mnt/x/y.png'", "[Errno 5] read: 'y.png'"),
        (r"C:\Users\ann\b.png is empty.", "b.png is empty."),
        ("Open https://my.example/a/b, or /gradio_api/mcp/ and/or text/plain.",) * 2,
        ("It came at 12/24 fps, 3/4 of it.",) * 2,
    ],
)
def test_a_path_of_this_machine_is_told_by_its_last_name(make_app: Make, said: str, told: str) -> None:
    error = UserError(said, said)
    hide_folders(error, make_app("here", samples=False).settings)
    assert (error.what, error.cure) == (told, told)


def test_what_strangers_call_a_function_fills_no_log(
    served: tuple[App, Any, str], caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(900, 910):
        body = {"data": [], "fn_index": number, "session_hash": "x"}
        assert httpx.post(f"{served[2]}gradio_api/queue/join", json=body).status_code == 400
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(told) <= 1 and all("KeyError" in line and "90" not in line for line in told)


def test_no_route_tells_a_stranger_where_files_lie(make_app: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app("open", server_name="0.0.0.0")
    item = app.ws.items.listed("image", limit=1)[0]

    def damaged(*_: Any) -> None:
        raise UserError(
            "/srv/private/films/a.mp4 cannot be read.", f"Look into {app.settings.workspace}/media."
        )

    monkeypatch.setattr(app.ws, "thumbnail", damaged)
    monkeypatch.setattr(app.speech, "live_words", damaged)
    client = gated(app)
    for answer in (client.get(f"/mmdemo/thumb/{item.id}"), client.post("/mmdemo/live", content=b"")):
        assert answer.json()["error"] == "a.mp4 cannot be read."
        assert answer.json()["cure"] == "Look into the workspace/media."
