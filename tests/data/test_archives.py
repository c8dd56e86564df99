"""A ZIP or TAR of any layout, and folders of them."""

from __future__ import annotations

import gzip
import io
import shutil
import tarfile
import tempfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from mmdemo.data.importing import ImportReport, import_source
from mmdemo.data.reading import open_source
from mmdemo.data.rows import Row
from mmdemo.errors import StorageError, UserError
from mmdemo.store.workspace import Workspace
from tests.conftest import TASK, png


def left_over() -> set[str]:
    return {p.name for p in Path(tempfile.gettempdir()).glob(".mmdemo-part-*/files")}


def files(first: int = 0) -> dict[str, bytes]:
    return {
        f"set/cat/{first}.png": png((first, 9, 9)),
        f"set/dog/{first + 1}.png": png((first + 1, 9, 9)),
        "__MACOSX/set/cat/._0.png": b"x",
        "set/.DS_Store": b"x",
    }


def packed(path: Path, content: dict[str, bytes]) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as zipped:
            for name, data in content.items():
                zipped.writestr(name, data)
        return path
    mode = "w:gz" if path.name.endswith("gz") else "w"
    with tarfile.open(path, mode) as tape:
        for name, data in content.items():
            member = tarfile.TarInfo(f"./{name}")
            member.size = len(data)
            tape.addfile(member, io.BytesIO(data))
    return path


def texts(ws: Workspace) -> dict[str, tuple[str, str]]:
    return {p.name: (p.text, p.split) for p in ws.pairs.browse(TASK)}


@pytest.mark.parametrize("name", ["set.zip", "set.tar", "set.tar.gz", "set.tgz"])
def test_an_archive_is_read_as_the_folder_that_was_packed(ws: Workspace, tmp_path: Path, name: str) -> None:
    report = import_source(ws, str(packed(tmp_path / name, files())), TASK)
    assert (report.layout, report.items, report.skipped) == ("classes", 2, [])
    assert {name: text for name, (text, _) in texts(ws).items()} == {"0.png": "cat", "1.png": "dog"}
    assert not left_over()


def test_what_was_uploaded_is_unpacked_once_and_stays_in_the_upload(tmp_path: Path) -> None:
    upload = tmp_path / "upload"
    upload.mkdir()
    path = packed(upload / "set.zip", files())
    for _ in range(2):
        with open_source(str(path), upload) as opened:
            rows = [row for row in opened.rows() if isinstance(row, Row)]
        assert [row.text for row in rows] == ["cat", "dog"] and all(row.file for row in rows)
        assert all(row.file.is_relative_to(upload) for row in rows if row.file)
    assert len(list(upload.glob(".unpacked-*"))) == 1 and not list(upload.glob(".mmdemo-part-*"))


def shard(first: int) -> dict[str, bytes]:
    return {
        f"{first:05d}.png": png((first, 7, 7)),
        f"{first:05d}.txt": f"text {first}".encode(),
        f"{first + 1:05d}.png": png((first + 1, 7, 7)),
        f"{first + 1:05d}.json": f'{{"caption": "text {first + 1}", "url": "x"}}'.encode(),
    }


def test_shards_of_webdataset_are_read_one_after_another(ws: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    packed(folder / "train-00000.tar", shard(0))
    packed(folder / "train-00001.tar", shard(2))
    packed(folder / "test-00000.tar", shard(4))
    (folder / "train-00002.tar").write_bytes(b"no tar")
    report = import_source(ws, str(folder), TASK)
    assert (report.layout, report.rows, report.items, report.pairs) == ("shards", 7, 6, 6)
    assert [s.file for s in report.skipped] == ["train-00002.tar"]
    assert (
        texts(ws) == {f"{i:05d}.png": (f"text {i}", "held-out" if i > 3 else "train") for i in range(6)}
        and not left_over()
    )


def refused(ws: Workspace, path: Path, match: str) -> None:
    before = ws.items.count("image")
    with pytest.raises(UserError, match=match):
        import_source(ws, str(path), TASK)
    assert ws.items.count("image") == before and not left_over()


@pytest.mark.parametrize(
    "kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK]
)
def test_what_an_archive_says_of_one_file_is_not_read_at_whatever_size_it_names(
    ws: Workspace, tmp_path: Path, kind: bytes
) -> None:
    about = tarfile.TarInfo("about")
    about.type, about.size = kind, 64_000_000
    path = tmp_path / "set.tar.gz"
    with gzip.open(path, "wb", compresslevel=1) as tape:
        tape.write(about.tobuf())
        for _ in range(64):
            tape.write(bytes(1_000_000))
    tracemalloc.start()
    try:
        refused(ws, path, "is not a TAR that can be read")
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


def test_what_an_archive_says_of_all_its_files_together_is_bounded_too(ws: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "set.tar.xz"
    with tarfile.open(path, "w:xz", format=tarfile.PAX_FORMAT) as tape:
        for n in range(3):
            member = tarfile.TarInfo(f"{n}.png")
            member.pax_headers = {f"{n} {i}": "x" for i in range(500)}
            tape.fileobj.write(tape.tarinfo.create_pax_global_header(member.pax_headers))  # type: ignore[union-attr]
            tape.addfile(tarfile.TarInfo(f"{n}.png"))
    refused(ws, path, "is not a TAR that can be read")


def test_a_long_name_in_a_packed_archive_is_a_name(ws: Workspace, tmp_path: Path) -> None:
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        path, name = tmp_path / f"set{form}.tar.bz2", "a long name " * 15
        with tarfile.open(path, "w:bz2", format=form) as tape:
            member = tarfile.TarInfo(f"{name}ö.png")
            member.size = len(png())
            tape.addfile(member, io.BytesIO(png()))
        assert import_source(ws, str(path), TASK).skipped == []
    assert [item.name for item in ws.items.listed("image")] == [f"{name}ö.png"]


def with_member(path: Path, name: str, kind: bytes, target: str = "") -> Path:
    with tarfile.open(path, "w") as tape:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, target
        tape.addfile(member)
    return path


def test_an_archive_with_links_or_names_that_lead_elsewhere_is_refused(ws: Workspace, tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(png())
    refused(ws, packed(tmp_path / "up.zip", {"../secret.png": b"x"}), "is no name of a file in it")
    refused(ws, packed(tmp_path / "up.tar", {"../secret.png": b"x"}), "is no name of a file in it")
    refused(ws, packed(tmp_path / "root.tar", {"/etc/x.png": b"x"}), "is no name of a file in it")
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE):
        refused(ws, with_member(tmp_path / "link.tar", "a.png", kind, str(secret)), "is a link or a device")


def test_a_small_archive_that_becomes_a_large_one_is_refused_before_it_is_unpacked(
    ws: Workspace, tmp_path: Path
) -> None:
    zeros = bytes(20_000_000)
    refused(ws, packed(tmp_path / "bomb.tgz", {"a.png": zeros}), "would become 20000000")
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("a.png", zeros)
    refused(ws, tmp_path / "bomb.zip", "would become 20000000")


def test_a_damaged_archive_and_a_backup_are_told_apart_from_collections(
    ws: Workspace, tmp_path: Path
) -> None:
    whole = packed(tmp_path / "set.tgz", files()).read_bytes()
    (tmp_path / "cut.tgz").write_bytes(whole[: len(whole) // 2])
    refused(ws, tmp_path / "cut.tgz", r"cut.tgz is not a TAR that can be read, or is damaged")
    (tmp_path / "no.zip").write_bytes(b"PK no zip")
    refused(ws, tmp_path / "no.zip", r"no.zip is not a zip that can be read, or is damaged")
    refused(ws, packed(tmp_path / "b.zip", {"mmdemo.sqlite3": b"x"}), r"is a backup of mmdemo. Restore it")


def test_what_the_disk_has_no_room_for_is_told(
    ws: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = packed(tmp_path / "set.tar", files())
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 9, 1))  # type: ignore[attr-defined]
    with pytest.raises(StorageError, match="Free some disk space"):
        import_source(ws, str(path), TASK)


def test_report_names_what_each_archive_was_read_as(ws: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    packed(folder / "a.zip", files())
    report: ImportReport = import_source(ws, str(folder), TASK)
    assert report.notes == ["a.zip was read as a folder tree with one folder a class."]
