"""What a start tells whoever began it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmdemo.service.app import App
from mmdemo.settings import load_settings
from mmdemo.ui.start_words import tell

HERE = "http://127.0.0.1:7860/"


def told(caplog: pytest.LogCaptureFixture, folder: Path, for_people: str = HERE, **flags: str) -> str:
    app = App(load_settings({}, workspace=folder, device="cpu", samples="0", **flags))
    try:
        caplog.clear()
        with caplog.at_level("INFO", "mmdemo"):
            tell(app, HERE, for_people)
    finally:
        app.close()
    return caplog.text


def test_alone_at_one_s_own_machine_nobody_is_to_be_invited(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    said = told(caplog, tmp_path / "w")
    assert f"mmdemo is at {HERE}" in said and "nvite" not in said and "Others reach it" not in said


def test_where_others_reach_the_page_they_are_invited_by_what_works_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "our words"
    said = told(caplog, folder, "https://my.example/", hosts="my.example", passphrase="short")
    assert "Others reach it at https://my.example/" in said
    assert f"by Invite, or by `python -m mmdemo invite --workspace '{folder}'`." in said
    assert "by the pass phrase, or by this link, which opens once: https://my.example/#sign-in=mmd_" in said
    assert "The pass phrase has 5 characters" in said


def test_a_space_has_no_command_line_and_its_owner_signs_in_with_hugging_face(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    told_of = {"SPACE_ID": "ann/page", "SPACE_HOST": "ann-page.hf.space", "SPACE_AUTHOR_NAME": "ann"}
    for name, value in (told_of | {"OAUTH_CLIENT_ID": "1"}).items():
        monkeypatch.setenv(name, value)
    said = told(caplog, tmp_path / "w")
    assert "invite them in the page, by Invite." in said and "python -m" not in said
    assert "the owner by signing in with Hugging Face as ann, or by this link" in said
