"""The address of a page is noted in its workspace."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmdemo.store.page_address import FILE, note_address, noted_address


def test_the_last_page_that_was_served_is_the_one_that_is_told(tmp_path: Path) -> None:
    assert noted_address(tmp_path) == ""
    for address in ("http://127.0.0.1:7860/", "https://my.example/"):
        note_address(tmp_path, address)
    assert noted_address(tmp_path) == "https://my.example/"


@pytest.mark.parametrize("damage", [b"", b"\xff\xfe", b"javascript:alert(1)", b"https://a\nhttps://b"])
def test_what_is_no_address_is_told_as_none(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / FILE).write_bytes(damage)
    assert noted_address(tmp_path) == ""


def test_a_page_is_served_though_its_address_cannot_be_noted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE).mkdir()
    note_address(tmp_path, "https://my.example/")
    assert "lack the page's address" in caplog.text and noted_address(tmp_path) == ""
