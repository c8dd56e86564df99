"""Pictures to import."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmdemo.data.reading import open_source
from mmdemo.data.rows import Row
from mmdemo.settings import ASSETS
from tests.conftest import png

VIDEO = ASSETS / "video" / "drawings-2.mp4"
Files = dict[str, str | bytes]
Found = dict[str, tuple[list[str], str]]  # by the path of a file: its texts, and its side
CUE = "1\n00:00:00,500 --> 00:00:02,000\n{}\n"


def picture(number: int) -> bytes:
    return png((number % 251, number // 251, 33))


def lay_out(folder: Path, files: Files) -> Path:
    """Write files; a name of a picture with the value "" gets a picture of its own."""
    for number, (name, content) in enumerate(files.items()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif not content and path.suffix == ".png":
            path.write_bytes(picture(number))
        elif not content and path.suffix.lower() == ".mp4":
            path.write_bytes(VIDEO.read_bytes() + bytes(number))
        else:
            path.write_text(content, encoding="utf-8")
    return folder


def read_all(folder: Path, task: str) -> tuple[str, Found, list[str], list[str]]:
    """The layout, what is found, the reasons of what was skipped, and the notes."""
    with open_source(str(folder), task=task) as opened:
        rows = list(opened.rows())
        root = opened.source.root
        found: Found = {}
        for row in (row for row in rows if isinstance(row, Row)):
            assert row.file is not None
            path = str(row.file.relative_to(root)) if row.file.is_relative_to(root) else row.name
            found.setdefault(path, ([], row.split))[0].append(row.text)
        reasons = [row.reason for row in rows if not isinstance(row, Row)]
        return opened.chosen.importer.name, found, reasons, opened.source.notes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five plain pictures, a.png to e.png."""
    path = tmp_path / "pictures"
    path.mkdir()
    for i, name in enumerate("abcde"):
        (path / f"{name}.png").write_bytes(png((40 * i, 100, 20)))
    return path
