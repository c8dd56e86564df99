"""Frames that are cut out of videos on demand are bounded in number on the disk."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from mmdemo.store import stills
from mmdemo.store.tables import Item
from mmdemo.store.workspace import Workspace
from tests.films import write_film

pytestmark = pytest.mark.usefixtures("only_sqlite")  # no database has a part in it


def kept(ws: Workspace, item: Item | None = None) -> list[str]:
    """The names of the frames that are on the disk, the oldest first."""
    found = (ws.folder / "cache" / "stills").rglob(f"{item.id[2:] if item else ''}*.webp")
    return [path.name[-9:] for path in sorted(found, key=lambda path: path.stat().st_mtime_ns)]


@pytest.fixture
def films(ws: Workspace, tmp_path: Path) -> list[Item]:
    paths = [write_film(tmp_path / f"{n}.mp4", ["mosquito", n]) for n in ("an_apple", "mosquito")]
    return [ws.add_media("video", path, path.name, source="import") for path in paths]


def test_whatever_times_are_asked_for_a_video_keeps_so_many_frames_and_the_oldest_go(
    ws: Workspace, films: list[Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stills, "MOST_OF_ONE", 3)
    film, other = films
    ws.video_frame(other, 0.5, 320)
    for hundredths in range(0, 100, 4):
        ws.video_frame(film, hundredths / 100, 320)
    assert len(kept(ws, film)) == 3 and kept(ws, film)[-1].endswith("-100.webp")
    assert len(kept(ws, other)) == 1
    with Image.open(io.BytesIO(ws.video_frame(film, 1.9, 320))) as shown:
        assert shown.size == (160, 120)


def test_times_within_a_tenth_of_a_second_are_one_frame(ws: Workspace, films: list[Item]) -> None:
    frames = {ws.video_frame(films[0], time_s, 320) for time_s in (0.46, 0.5, 0.54)}
    assert len(frames) == 1 and [name[-8:] for name in kept(ws)] == ["-50.webp"]


def test_all_videos_together_keep_so_many(
    ws: Workspace, films: list[Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stills, "MOST", 4)
    monkeypatch.setattr(stills, "COUNTED_EVERY", 5)
    for tenths in range(5):
        for film in films:
            ws.video_frame(film, tenths / 10, 320)
    ws.video_frame(films[0], 0.9, 320)
    assert len(kept(ws)) == 4 and all(len(kept(ws, film)) == 2 for film in films)
