"""A copy that browsers play is made once, behind the page, kept in bounds, and made anew where it is gone."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from assets.sounds import wav_bytes
from mmdemo.asker import Asker, asking
from mmdemo.errors import BusyError, MediaError, UserError
from mmdemo.media.playable import plays_sound, plays_video
from mmdemo.service.app import App
from mmdemo.service.checking import Report, _check_cache
from mmdemo.service.context import Context
from mmdemo.service.copies import MOST_OF_VISITOR, As, Copies
from mmdemo.service.operations.table import ask
from mmdemo.store.tables import Item, now
from mmdemo.store.workspace import Workspace
from tests.media.test_audio import encoded, tone
from tests.media.test_video import write_video
from tests.waiting import wait_for


def copied(copies: Copies, item: Item, kind: As = "video") -> Path:
    """The copy of an item, once it is whole."""
    copies.playing(item, kind)
    wait_for(lambda: copies.state(item, kind)["ready"] or copies.state(item, kind)["error"])
    return copies.path(item, kind)


def old_film(ws: Workspace, tmp_path: Path, name: str = "old") -> Item:
    """A video in an mp4 whose codec no browser plays."""
    path = write_video(tmp_path / f"{name}.mp4", [40 * i + len(name) for i in range(30)], codec="mpeg4")
    return ws.add_media("video", path, path.name, source="test")


@pytest.fixture
def copies(ws: Workspace):  # type: ignore[no-untyped-def]
    made = Copies(ws)
    yield made
    made.close()


def test_a_copy_is_made_once_and_is_what_is_played(ws: Workspace, copies: Copies, tmp_path: Path) -> None:
    item = old_film(ws, tmp_path)
    with pytest.raises(BusyError, match=r"A copy of old\.mp4 that browsers play is being made: \d+% of it"):
        copies.path(item, "video")
    path = copied(copies, item)
    assert plays_video(path) and path != ws.media_path(item)
    made_at = path.stat().st_ino
    assert copies.path(item, "video") == path and path.stat().st_ino == made_at
    assert copies.playing(item, "video") == {"ready": True, "copy": True, "share": 1.0, "error": ""}


def test_what_browsers_play_is_given_as_it_is(ws: Workspace, copies: Copies, tmp_path: Path) -> None:
    film = ws.add_media("video", write_video(tmp_path / "new.mp4", [0, 40]), "new.mp4", source="test")
    sound = ws.add_media("audio", wav_bytes(tone(1.0)), "a.wav", source="test")
    assert copies.path(film, "video") == ws.media_path(film)
    assert copies.path(sound, "sound") == ws.media_path(sound)
    assert not copies.playing(film, "video")["copy"] and not (ws.folder / "cache" / "players").exists()


def test_a_recording_in_a_codec_of_phones_has_a_copy_too(ws: Workspace, copies: Copies) -> None:
    item = ws.add_media("audio", encoded("adpcm_ima_wav", "wav", tone(2.0), 16_000), "a.wav", source="test")
    assert plays_sound(copied(copies, item, "sound"))


def test_a_copy_that_is_deleted_or_damaged_is_made_anew(
    ws: Workspace, copies: Copies, tmp_path: Path
) -> None:
    item = old_film(ws, tmp_path)
    path = copied(copies, item)
    whole = path.read_bytes()
    for left in (len(whole), len(whole) * 2 // 3, 300):
        path.write_bytes(whole[:left])
        report = Report()
        _check_cache(cast("Context", SimpleNamespace(ws=ws)), report, True)
        assert path.exists() == (left == len(whole)) == (not report.faults)
    (fault,) = report.faults
    assert fault["mended"] and "layers/" in fault["what"] and "is damaged" in fault["what"]
    assert plays_video(copied(copies, item))
    path.unlink()
    assert copies.playing(item, "video")["copy"]
    wait_for(lambda: copies.playing(item, "video")["ready"])
    assert plays_video(path)


def test_what_has_no_sound_and_does_not_move_cannot_be_played(app: App) -> None:
    picture = app.ws.items.listed("image", limit=1)[0]
    for kind in ("video", "sound"):
        with pytest.raises(UserError, match=f"is no {kind}"):
            ask(app, "playing", item=picture.id, kind=kind)
    film = app.ws.items.listed("video", limit=1)[0]
    assert ask(app, "playing", item=film.id) == {"ready": True, "copy": False, "share": 1.0, "error": ""}


def test_copies_that_were_not_played_for_long_make_room(
    ws: Workspace, copies: Copies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (old_film(ws, tmp_path, name) for name in ("first", "second"))
    old = copied(copies, first)
    monkeypatch.setattr("mmdemo.service.copies.MOST_BYTES", old.stat().st_size // 2)
    new = copied(copies, second)
    assert new.is_file() and not old.exists()


def test_a_video_that_cannot_be_copied_is_told_once_and_not_tried_for_ever(
    ws: Workspace, copies: Copies, tmp_path: Path
) -> None:
    item = old_film(ws, tmp_path)
    path = ws.media_path(item)
    copies._plays[item.id, "video"] = False
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(MediaError):
        copied(copies, item)
    assert copies.playing(item, "video")["error"] and not copies.is_on(item.id)


@pytest.mark.parametrize(
    ("bounds", "told"),
    [
        ({"MOST_OF_UPLOADS_S": -1.0}, "takes too long to make here"),
        ({"LEAST_FREE_BYTES": 1 << 62}, "no room on the disk"),
        ({"MOST_OF_ONE_BYTES": -1, "TIMES_ITS_FILE": -1}, "too large"),
    ],
)
def test_a_copy_ends_where_it_takes_too_long_or_leaves_no_room(
    ws: Workspace,
    copies: Copies,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    bounds: dict[str, float],
    told: str,
) -> None:
    path = write_video(tmp_path / "mine.mp4", [40 * i for i in range(30)], codec="mpeg4")
    item = ws.add_media("video", path, path.name, source="test", listed=False)
    for bound, value in bounds.items():
        monkeypatch.setattr(f"mmdemo.service.copies.{bound}", value)
    with pytest.raises(MediaError, match=told):
        copied(copies, item)
    assert not list((ws.folder / "cache" / "players").rglob("*.*"))


def test_a_visitor_has_few_copies_made_at_a_time(
    ws: Workspace, copies: Copies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = threading.Event()
    monkeypatch.setattr(
        "mmdemo.media.playable.write_video_copy", lambda source, target, told: go.wait(30) and told(0.5)
    )
    visitor, other = Asker("viewer", "one's"), Asker("viewer", "another's")
    items = [old_film(ws, tmp_path, "x" * (i + 1)) for i in range(MOST_OF_VISITOR + 2)]
    try:
        with asking(visitor):
            for item in items[:MOST_OF_VISITOR]:
                assert not copies.playing(item, "video")["ready"]
            with pytest.raises(BusyError, match="Too much is waiting"):
                copies.playing(items[-2], "video")
        for who in (other, Asker("owner")):
            with asking(who):
                assert not copies.playing(items[-1], "video")["ready"]
    finally:
        go.set()


def test_a_copy_of_what_was_only_looked_at_goes_with_it(ws: Workspace, tmp_path: Path) -> None:
    copies = Copies(ws)
    path = write_video(tmp_path / "mine.mp4", [40 * i for i in range(10)], codec="mpeg4")
    with asking(Asker("viewer", "one's")):
        item = ws.add_media("video", path, path.name, source="test", listed=False)
        copy = copied(copies, item)
    copies.close()
    assert copy.is_file()
    assert ws.scratch.sweep(at=now() + timedelta(days=2)) == [item.id]
    assert not copy.exists()
