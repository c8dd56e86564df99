"""`check` looks at everything in a workspace, makes anew what can be made, and names what cannot."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from mmdemo.command_line import main
from mmdemo.labeling.snapshot import Snapshot
from mmdemo.retrieval.embed import feature_file, version_file
from mmdemo.service.app import App
from mmdemo.settings import load_settings
from mmdemo.store.cards import write_card
from mmdemo.store.tables import Version
from mmdemo.store.vectors import KEY_BYTES
from mmdemo.store.workspace import Workspace
from tests.conftest import TASK, png


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A picture, a version, two runs, and a thumbnail."""
    monkeypatch.setenv("MMDEMO_SAMPLES", "false")
    ws = Workspace(load_settings({}, workspace=tmp_path / "w", samples=False))
    item = ws.add_media("image", png(), "a.png", source="t")
    ws.thumbnail(item, 320)
    ws.versions.ensure_base(TASK, "efficientnet-lite0-devise", "efficientnet-lite0-devise")
    base = ws.versions.active(TASK)
    ws.versions.add(Version(id="tuned-1", task=TASK, base=base, parent=base))
    write_card(ws.version_folder("tuned-1"), {"version": "tuned-1"})
    save_file({"a": np.ones(8, np.float32)}, ws.version_folder("tuned-1") / "head.safetensors")
    for name in ("run-1", "run-2"):
        ws.runs.create(TASK, "head", base, {}, "", run_id=name)
        ws.run_folder(name).mkdir()
        Snapshot(TASK, ()).save(ws.run_folder(name) / "snapshot.json")
    ws.runs.update("run-2", status="done")
    ws.close()
    return ws


def told(ws: Workspace, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, dict[str, Any]]:
    status = main(["check", "--workspace", str(ws.folder), "--json", *options])
    return status, json.loads(capsys.readouterr().out)


def whats(answer: dict[str, Any]) -> str:
    return " ".join(fault["what"] for fault in answer["faults"])


def test_a_whole_workspace_is_sound(small: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    status, answer = told(small, capsys)
    assert status == 0 and answer["sound"] and not answer["faults"] and not answer["notes"]
    assert answer["checked"] == {"items": 1, "vectors": 0, "cache": 1, "versions": 1, "runs": 2}


def media(ws: Workspace) -> Path:
    return next(path for path in (ws.folder / "media").rglob("*.png"))


DAMAGES: dict[str, tuple[Any, str]] = {
    "another file": (
        lambda ws: media(ws).write_bytes(media(ws).read_bytes()[:-1] + b"\0"),
        "The file of a.png is not the one that was kept: media/",
    ),
    "a file cut off": (lambda ws: media(ws).write_bytes(b"x"), "The file of a.png has 1 bytes and not"),
    "no file": (lambda ws: media(ws).unlink(), "The file of a.png is missing: media/"),
    "no card": (
        lambda ws: (ws.version_folder("tuned-1") / "card.json").unlink(),
        "The version tuned-1 has no card.",
    ),
    "half a card": (
        lambda ws: (ws.version_folder("tuned-1") / "card.json").write_text("{"),
        "The version tuned-1 has a card that cannot be read.",
    ),
    "half of its weights": (
        lambda ws: cut(ws.version_folder("tuned-1") / "head.safetensors"),
        "The version tuned-1 has weights that cannot be read: head.safetensors",
    ),
    "no weights": (
        lambda ws: (ws.version_folder("tuned-1") / "head.safetensors").unlink(),
        "The version tuned-1 has no weights.",
    ),
    "a run without labels": (
        lambda ws: (ws.run_folder("run-1") / "snapshot.json").write_text("{"),
        "The run run-1 waits and has no labels to learn from",
    ),
    "a name that leads out": (
        lambda ws: by_sql(ws, "UPDATE items SET suffix = '/../../x'"),
        "'/../../x' is no suffix of items.",
    ),
    "vectors cut off to nothing": (
        lambda ws: keys_alone(ws.folder / "vectors"),
        "Towers.f16 and its keys do not belong together.",
    ),
    "keys cut off within one": (
        lambda ws: vectors(ws.folder / "vectors", bytes(3 * KEY_BYTES + 4), np.ones((9, 2), np.float32)),
        "Some.f32 and its keys do not belong together.",
    ),
    "vectors overwritten by what are numbers too": (
        lambda ws: vectors(ws.folder / "vectors", bytes(KEY_BYTES), np.full((1, 2), 1e30, np.float32)),
        "Some.f32 holds vectors that are no numbers.",
    ),
    "a number that is a word": (
        lambda ws: by_sql(ws, "UPDATE items SET width = 'wide'"),
        "The database holds what mmdemo does not write: 'wide' is no width of items.",
    ),
    "a state that there is not": (
        lambda ws: by_sql(ws, "UPDATE runs SET status = 'flying' WHERE id = 'run-2'"),
        "'flying' is no status of runs.",
    ),
    "a lost row": (
        lambda ws: by_sql(ws, "UPDATE activations SET version_id = 'none'"),
        "a row of activations refers to none of versions.",
    ),
    "a trigger": (
        lambda ws: by_sql(ws, "CREATE TRIGGER evil AFTER INSERT ON labels BEGIN DELETE FROM items; END"),
        "holds a trigger 'evil' that is none of mmdemo's.",
    ),
}


def keys_alone(folder: Path) -> None:
    (folder / "towers.keys").write_bytes(bytes(KEY_BYTES))
    (folder / "towers.f16").touch()


def vectors(folder: Path, keys: bytes, rows: np.ndarray) -> None:
    (folder / "some.keys").write_bytes(keys)
    (folder / "some.f32").write_bytes(rows.tobytes())


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def by_sql(ws: Workspace, statement: str) -> None:
    with closing(sqlite3.connect(ws.folder / "mmdemo.sqlite3", isolation_level=None)) as database:
        database.execute(statement)


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES)
def test_what_only_people_have_made_is_named_where_it_is_damaged(
    small: Workspace, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    spoil, says = DAMAGES[damage]
    spoil(small)
    if damage == "a lost row":  # a workspace is not opened with one
        assert main(["check", "--workspace", str(small.folder)]) == 1
        assert "a row of activations refers to none of versions" in capsys.readouterr().err
        return
    status, answer = told(small, capsys)
    assert status == 1 and not answer["sound"] and says in whats(answer)
    assert all(fault["cure"] for fault in answer["faults"])


def test_what_belongs_to_nothing_is_noted_and_stays(
    small: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    (small.folder / "media" / "ab").mkdir()
    (small.folder / "media" / "ab" / "stray.bin").touch()
    for name in ("versions/tuned-9", "runs/run-9"):
        (small.folder / name).mkdir()
    (small.run_folder("run-2") / "snapshot.json").unlink()
    status, answer = told(small, capsys)
    assert status == 0 and answer["sound"] and len(answer["notes"]) == 4
    assert "1 files in media belong to no item, such as ab/stray.bin." in answer["notes"]
    assert (small.folder / "media" / "ab" / "stray.bin").exists()


def test_a_database_that_is_no_database_is_said_to_be_so(
    small: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    (small.folder / "mmdemo.sqlite3").write_bytes(b"x" * 9000)
    assert main(["check", "--workspace", str(small.folder)]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_where_there_is_no_workspace_none_is_begun(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--workspace", str(tmp_path / "typo")]) == 2
    assert "There is no workspace in" in capsys.readouterr().err and not (tmp_path / "typo").exists()


@pytest.mark.slow
def test_with_repair_vectors_and_what_is_in_the_cache_are_made_anew(app: App) -> None:
    aligner, item = app.models.aligner(TASK), app.ws.items.listed("image")[0]
    files = [feature_file(app.ws, aligner.towers), version_file(app.ws, aligner)]
    was = [file.get([item.id]) for file in files]
    thumbnail = app.ws.thumbnail(item, 320)
    thumbnail.write_bytes(b"RIFF and no more")
    frames = app.ws.made.path("frames/some-tower", item.id, ".npz")
    frames.parent.mkdir(parents=True)
    frames.write_bytes(b"PK")
    for file in files:
        with file._rows_path.open("r+b") as f:
            f.seek(int(file.rows_of([item.id])[0]) * file.dim * file.dtype.itemsize)
            f.write(np.array([np.nan], file.dtype).tobytes())
    found = app.data.check().as_json()
    assert not found["sound"] and len(found["faults"]) == 4
    assert thumbnail.exists() and frames.exists()
    assert app.data.check(repair=True).as_json()["sound"]
    after = app.data.check().as_json()
    assert after["sound"] and not after["faults"]
    made = [file.get([item.id]) for file in files if file.refresh()]
    assert all(np.allclose(a, b, atol=1e-2) for a, b in zip(made, was, strict=True))
    assert app.ws.thumbnail(item, 320).read_bytes()[8:12] == b"WEBP"
