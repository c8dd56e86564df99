"""What was made of media by an earlier reading goes when a workspace is opened, and is made anew."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mmdemo.command_line import main
from mmdemo.media.reading import READING
from mmdemo.settings import Settings, load_settings
from mmdemo.store.backup import back_up, restore
from mmdemo.store.made_before import NOTE, made_before
from mmdemo.store.workspace import Workspace
from tests.conftest import BASE, TASK, png

DIM = 4


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Over SQLite, which backups and commands find in the folder."""
    monkeypatch.setenv("MMDEMO_SAMPLES", "false")
    return load_settings({}, workspace=tmp_path / "workspace", samples=False, device="cpu")


@pytest.fixture
def made(settings: Settings) -> Path:
    """The folder of a workspace with a picture, its thumbnail and a vector."""
    ws = Workspace(settings)
    ws.versions.ensure_base(TASK, BASE, BASE)
    item = ws.add_media("image", png(), "a.png", source="test")
    ws.thumbnail(item, 320)
    ws.vectors("some", DIM).append([item.id], np.ones((1, DIM), np.float32))
    ws.close()
    return ws.folder


def counts(folder: Path) -> tuple[int, int]:
    """Vectors and thumbnails that are there."""
    return len(list(folder.glob("vectors/*.f32"))), len(list(folder.glob("cache/thumbs/**/*.webp")))


def test_what_is_of_the_same_reading_stays(made: Path, settings: Settings) -> None:
    Workspace(settings).close()
    assert counts(made) == (1, 1) and made_before(made) is None


@pytest.mark.parametrize(
    "note", [None, '{"reading": 1}', "no JSON", "[" * 5000, '{"reading": Infinity}', "7"]
)
def test_what_is_of_an_earlier_reading_goes_once(made: Path, settings: Settings, note: str | None) -> None:
    (made / NOTE).unlink() if note is None else (made / NOTE).write_text(note)
    ws = Workspace(settings)
    assert counts(made) == (0, 0) and made_before(made) == 1
    (item,) = ws.items.listed("image")
    assert len(ws.vectors("some", DIM)) == 0 and ws.media_path(item).is_file()
    ws.thumbnail(item, 320)
    ws.vectors("some", DIM).append([item.id], np.ones((1, DIM), np.float32))
    ws.close()
    Workspace(settings).close()
    assert counts(made) == (1, 1)


def test_the_vectors_of_a_backup_of_before_go_where_it_is_restored(
    made: Path, settings: Settings, tmp_path: Path
) -> None:
    (made / NOTE).write_text(json.dumps({"reading": READING}))
    ws = Workspace(settings)
    (made / NOTE).write_text(json.dumps({"reading": 1}))  # as one of before would have it
    archive = back_up(ws, tmp_path / "old.zip")
    ws.close()
    restore(archive, tmp_path / "restored")
    assert counts(tmp_path / "restored")[0] == 1
    Workspace(load_settings({}, workspace=tmp_path / "restored", samples=False)).close()
    assert counts(tmp_path / "restored")[0] == 0


def test_check_says_what_waits_to_be_made_anew(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (made / NOTE).write_text(json.dumps({"reading": 1}))
    assert main(["check", "--workspace", str(made), "--json"]) == 0
    (note,) = json.loads(capsys.readouterr().out)["notes"]
    assert note.startswith("1 of 1 pictures wait for their vectors: those of before went")
