"""Pictures to import."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmdemo.settings import ASSETS
from tests.conftest import png

VIDEO = ASSETS / "video" / "drawings-2.mp4"
Files = dict[str, str | bytes]
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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five plain pictures, a.png to e.png."""
    path = tmp_path / "pictures"
    path.mkdir()
    for i, name in enumerate("abcde"):
        (path / f"{name}.png").write_bytes(png((40 * i, 100, 20)))
    return path
