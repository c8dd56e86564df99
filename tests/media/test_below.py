"""A name is joined to a folder, and what it names lies below that folder or is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmdemo.errors import OutsideError
from mmdemo.media.below import below, is_below

OUT = [
    ("../secret",),
    ("..",),
    (".",),
    ("",),
    ("a/../../secret",),
    ("/etc/passwd",),
    ("a", "/etc/passwd"),
    ("a", "../../secret"),
    ("link",),
    ("link/secret",),
    ("round",),
    ("nul\0",),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file, a link out of it and a link to itself, beside a file of somebody's."""
    inside = tmp_path / "inside"
    (inside / "a").mkdir(parents=True)
    (inside / "a" / "mine").write_text("mine")
    (tmp_path / "secret").write_text("secret")
    (inside / "link").symlink_to(tmp_path)
    (inside / "round").symlink_to(inside / "round")
    return inside


@pytest.mark.parametrize("names", OUT)
def test_a_name_that_leads_out_of_its_folder_is_refused(folder: Path, names: tuple[str, ...]) -> None:
    with pytest.raises(OutsideError, match="leads out of the folder inside"):
        below(folder, *names)


def test_a_name_within_it_is_joined_whether_there_is_such_a_file_or_not(folder: Path, tmp_path: Path) -> None:
    assert below(folder, "a", "mine").read_text() == "mine"
    assert below(folder, "new/and/below") == folder / "new" / "and" / "below"
    assert below(folder, "a/../b") == folder / "a/../b"
    (tmp_path / "other name").symlink_to(folder)
    assert below(tmp_path / "other name", "a/mine").read_text() == "mine"  # the folder itself may be a link


def test_a_path_is_below_a_folder_by_where_its_links_lead(folder: Path, tmp_path: Path) -> None:
    (folder / "within").symlink_to(folder / "a")
    assert is_below(folder, folder / "within" / "mine")
    assert not is_below(folder, folder) and not is_below(folder, tmp_path / "inside-too" / "x")
