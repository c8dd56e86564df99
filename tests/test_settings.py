from pathlib import Path

import pytest

from mmdemo.errors import UserError
from mmdemo.settings import load_settings


def test_a_flag_beats_a_variable_and_a_variable_beats_the_default(tmp_path: Path) -> None:
    environment = {"MMDEMO_WORKSPACE": str(tmp_path / "a"), "MMDEMO_MAX_UPLOAD_MB": "7"}
    settings = load_settings(environment, workspace=tmp_path / "b")
    assert (settings.workspace, settings.max_upload_mb, settings.held_out_share) == (tmp_path / "b", 7, 0.25)


def test_a_number_that_is_none_is_named() -> None:
    with pytest.raises(UserError, match="MMDEMO_MAX_UPLOAD_MB is 'much'"):
        load_settings({"MMDEMO_MAX_UPLOAD_MB": "much"})


def test_the_pass_phrase_is_never_printed(tmp_path: Path) -> None:
    settings = load_settings({}, workspace=tmp_path, passphrase="open sesame")
    assert settings.as_json()["passphrase"] == "set"
    assert "sesame" not in str(settings.as_json())


def test_the_server_listens_on_this_machine_unless_told_otherwise() -> None:
    assert load_settings({}).server_name == "127.0.0.1"
    assert load_settings({"GRADIO_SERVER_NAME": "0.0.0.0"}).server_name == "0.0.0.0"
