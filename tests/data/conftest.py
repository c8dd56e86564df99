"""Pictures to import."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import png


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five plain pictures, a.png to e.png."""
    path = tmp_path / "pictures"
    path.mkdir()
    for i, name in enumerate("abcde"):
        (path / f"{name}.png").write_bytes(png((40 * i, 100, 20)))
    return path
