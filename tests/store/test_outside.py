"""Rows of a database that a stranger wrote: their ids and suffixes lead nowhere but below the workspace."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update
from starlette.applications import Starlette
from starlette.testclient import TestClient

from mmdemo.errors import OutsideError
from mmdemo.service.app import App
from mmdemo.service.exchange import download_path, exchange_folder, file_in_batch, offer, sweep_exchange
from mmdemo.store.tables import Item, Run, Version
from mmdemo.store.unfinished import LOCK, PREFIX, remove_left
from mmdemo.store.workspace import Workspace
from mmdemo.ui.routes import page_routes
from tests.conftest import TASK, png

ROUTES = ("media", "thumb", "player", "frame", "strip", "peaks", "sound")


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    """A folder beside the workspace that has nothing to do with it."""
    folder = tmp_path / "precious"
    folder.mkdir()
    (folder / "secret.png").write_bytes(png((1, 2, 3)))
    return folder


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose path is no longer than an id may be."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.mark.parametrize(
    "suffix", ["/../../../../precious/secret.png", "/../../../../../../etc/passwd", ".l"]
)
def test_an_item_whose_suffix_or_link_leads_out_of_the_workspace_has_no_file(
    app: App, precious: Path, suffix: str
) -> None:
    item = app.ws.items.listed("image", limit=1)[0]
    app.ws.media_path(item).with_suffix(".l").symlink_to(precious / "secret.png")
    with app.ws.database.write() as session:
        session.execute(update(Item).where(Item.id == item.id).values(suffix=suffix))
    client = TestClient(Starlette(routes=page_routes(app)))
    for route in ROUTES:
        answer = client.get(f"/mmdemo/{route}/{item.id}")
        assert answer.status_code == 404 or (route == "thumb" and answer.status_code == 200)
        assert png((1, 2, 3)) not in answer.content and b"precious" not in answer.content
    told = client.get(f"/mmdemo/media/{item.id}").json()
    assert told["error"] == f"The file of {item.name} is gone from the workspace."


@pytest.mark.parametrize("stolen", ["../../precious", "{short}", ".", "", "..", "link"])
def test_a_version_or_run_whose_id_leads_out_of_its_folder_deletes_nothing(
    app: App, precious: Path, short: Path, stolen: str
) -> None:
    precious = precious.rename(short / "p") if stolen == "{short}" else precious
    name = stolen.format(short=precious)
    for folder in ("versions", "runs"):
        (app.ws.folder / folder / "kept").mkdir()
        (app.ws.folder / folder / "link").symlink_to(precious)
    base = app.ws.versions.active(TASK)
    with app.ws.database.write() as session:
        session.add(Version(id=name, task=TASK, base=base, parent=base))
        session.add(
            Run(
                id=name, task=TASK, method="head", status="done", parent=base, settings={}, snapshot_sha256=""
            )
        )
    for remove in (app.versions.remove, app.context.jobs.remove):
        with pytest.raises(OutsideError, match="leads out of the folder"):
            remove(name)
    assert (precious / "secret.png").exists()
    assert all((app.ws.folder / folder / "kept").exists() for folder in ("versions", "runs"))


def test_a_link_to_nothing_that_waits_for_its_end_hinders_no_upload(tmp_path: Path) -> None:
    link, kept = exchange_folder() / "old-link", tmp_path / "kept"
    kept.mkdir()
    link.symlink_to(tmp_path / "gone")
    sweep_exchange()
    assert link.is_symlink()
    os.utime(link, (0, 0), follow_symlinks=False)
    (exchange_folder() / "to-a-folder").symlink_to(kept)
    os.utime(exchange_folder() / "to-a-folder", (0, 0), follow_symlinks=False)
    sweep_exchange()
    assert not link.is_symlink() and not (exchange_folder() / "to-a-folder").is_symlink() and kept.is_dir()


def test_a_version_takes_with_it_only_what_is_named_after_it(app: App) -> None:
    base = app.ws.versions.active(TASK)
    app.ws.versions.add(Version(id="e", task=TASK, base=base, parent=base))
    app.ws.versions.add(Version(id="*", task=TASK, base=base, parent=base))
    vectors = app.ws.folder / "vectors"
    (vectors / "version-e.f32").touch()
    before = {path.name for path in vectors.iterdir()}
    app.versions.remove("*")
    app.versions.remove("e")
    assert before - {path.name for path in vectors.iterdir()} == {"version-e.f32"}


def test_what_is_kept_of_an_item_or_a_tower_lies_in_the_cache(ws: Workspace) -> None:
    item = ws.add_media("image", png(), "a.png", source="t")
    for make in (
        lambda: ws.made.path("../../x", item.id, ".npz"),
        lambda: ws.made.thumbnail_path("../" * 8 + "etc/passwd", 320),
        lambda: ws.media_path(replace_id(item, "../" * 8 + "etc/passwd")),
        lambda: ws.vectors("../../x", 4),
    ):
        with pytest.raises(OutsideError):
            make()


def replace_id(item: Item, item_id: str) -> Item:
    return Item(id=item_id, suffix=item.suffix)


def test_a_download_is_a_file_of_the_exchange_folder_and_an_upload_lands_in_its_batch(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    (exchange_folder() / "link.txt").symlink_to(tmp_path / "secret.txt")
    for path in (tmp_path / "secret.txt", exchange_folder() / "link.txt"):
        assert download_path(offer(path).rsplit("/", 1)[1]) is None
    (exchange_folder() / "mine.txt").write_text("mine")
    assert download_path(offer(exchange_folder() / "mine.txt").rsplit("/", 1)[1]) is not None
    batch = exchange_folder() / "batch-abcdefgh1"
    batch.mkdir()
    (batch / "out").symlink_to(tmp_path)
    with pytest.raises(OutsideError):
        file_in_batch("abcdefgh1", "out/x.png")


def test_what_others_have_put_beside_a_workspace_is_not_taken_for_an_unfinished_folder(
    tmp_path: Path,
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / LOCK).write_text("no lock at all")
    (tmp_path / f"{PREFIX}x").symlink_to(tmp_path / "mine")
    remove_left(tmp_path)
    assert (tmp_path / "mine" / LOCK).read_text() == "no lock at all"


def test_a_check_point_names_a_file_of_its_own_folder(tmp_path: Path) -> None:
    import json

    import torch
    from safetensors.torch import save_file

    from mmdemo.training.checkpoint import StateKeeper

    save_file({"head.weight": torch.zeros(1, 1)}, tmp_path / "other.safetensors")
    keeper = StateKeeper(tmp_path / "state")
    (tmp_path / "state" / "state.json").write_text(
        json.dumps({"step": 1, "seconds": 1.0, "file": "../other.safetensors"})
    )
    network = torch.nn.Linear(1, 1, bias=False)
    with pytest.raises(OutsideError):
        keeper.load(network, torch.optim.SGD(network.parameters()))
