"""A file that is replaced is the one before or the new one, whatever happens in between."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mmdemo.errors import StorageError
from mmdemo.store.durable import PART, make_folder, replacing, sync_tree, write_durably
from tests.full_disk import full_disk


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was asked of the disk, in order: names of what was synced, and renames."""
    acts: list[str] = []
    sync, rename = os.fsync, Path.replace

    def synced(handle: int) -> None:
        acts.append(f"sync {Path(f'/proc/self/fd/{handle}').readlink().name}")
        sync(handle)

    def renamed(path: Path, target: Path) -> Path:
        acts.append(f"rename {target.name}")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    return acts


def test_a_file_is_on_disk_before_it_has_its_name_and_the_name_is_before_anybody_goes_on(
    tmp_path: Path, done: list[str]
) -> None:
    with replacing(tmp_path / "kept") as part:
        part.write_text("new")
        name = part.name
    assert name.startswith(PART) and done == [f"sync {name}", "rename kept", f"sync {tmp_path.name}"]


def test_what_need_not_last_waits_for_no_disk(tmp_path: Path, done: list[str]) -> None:
    with replacing(tmp_path / "kept", lasting=False) as part:
        part.write_text("new")
    assert done == ["rename kept"] and (tmp_path / "kept").read_text() == "new"


def test_whatever_breaks_off_leaves_the_file_of_before_and_nothing_beside_it(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    write_durably(kept, b"before")
    with pytest.raises(KeyboardInterrupt), replacing(kept) as part:
        part.write_text("half")
        raise KeyboardInterrupt
    with full_disk(100), pytest.raises(StorageError, match="kept could not be saved"):
        write_durably(kept, b"x" * 1000)
    assert kept.read_bytes() == b"before" and list(tmp_path.iterdir()) == [kept]


def test_new_folders_are_on_disk_with_their_names(tmp_path: Path, done: list[str]) -> None:
    make_folder(tmp_path / "a" / "b")
    assert sorted(done) == sorted([f"sync {tmp_path.name}", "sync a"])
    make_folder(tmp_path / "a" / "b")
    assert len(done) == 2


def test_all_that_a_library_has_written_into_a_folder_is_brought_to_the_disk(
    tmp_path: Path, done: list[str]
) -> None:
    (tmp_path / "version" / "network").mkdir(parents=True)
    (tmp_path / "version" / "network" / "weights").write_bytes(b"w")
    (tmp_path / "version" / "network" / "weights").chmod(0o444)
    sync_tree(tmp_path / "version")
    assert set(done) == {f"sync {name}" for name in ("version", "network", "weights", tmp_path.name)}
