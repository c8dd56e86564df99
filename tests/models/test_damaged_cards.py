"""A version whose card is damaged is told so in a sentence, and another one can be activated."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmdemo.errors import StorageError
from mmdemo.evaluation.evaluate import fit_of
from mmdemo.models.find_model import find_preset
from mmdemo.models.manager import calibration_of
from mmdemo.models.version_source import VersionSource, version_source
from mmdemo.service.app import App
from mmdemo.store.cards import read_card
from tests.conftest import TASK

DAMAGED = (
    b"[" * 100_000,
    b"",
    b"\xff\xfe\x00junk",
    b"[]",
    b"{}",
    b'{"calibration": 5}',
    b'{"calibration": {"scale": 1}}',
)


@pytest.mark.parametrize("card", DAMAGED)
def test_a_version_with_a_damaged_card_cannot_be_loaded_and_says_so(
    app: App, tmp_path: Path, card: bytes
) -> None:
    folder = tmp_path / "v7"
    folder.mkdir()
    (folder / "card.json").write_bytes(card)
    source = VersionSource("v7", TASK, find_preset(app.settings.model), folder)
    with pytest.raises(StorageError, match=r"The card of v7 cannot be read. Activate another version."):
        app.models._make(source)
    with pytest.raises(StorageError, match=r"The card of v7 cannot be read. Activate another version."):
        calibration_of(source, app.models.towers(source.preset))  # as what is trained on from it is told


def test_a_base_has_the_calibration_that_its_towers_came_with(app: App) -> None:
    towers = app.models.towers(app.settings.model)
    assert calibration_of(version_source(app.ws, app.settings.model), towers) == towers.calibration


@pytest.mark.parametrize("fit", [b"5", b'{"weights": 3}', b"[1]"])
def test_what_is_measured_of_a_version_with_a_damaged_fit_says_so_too(app: App, fit: bytes) -> None:
    folder = app.ws.version_folder("v8")
    folder.mkdir(parents=True)
    (folder / "card.json").write_bytes(b'{"fit": ' + fit + b"}")
    with pytest.raises(StorageError, match=r"The card of v8 cannot be read. Activate another version."):
        fit_of(app.ws, "v8")
    app.ws.versions.add_base(TASK, "v8", app.settings.model)
    with pytest.raises(StorageError, match=r"The card of v8 cannot be read. Activate another version."):
        app.versions.card("v8")


ODD = (
    b"[" * 100_000,
    b"[]",
    b'{"gate": 7}',
    b'{"before": {"mean_recall": "x"}}',
    b'{"after": {"mean_recall": 1e999}}',
)


def test_one_damaged_card_leaves_the_list_of_versions_as_it_is_and_is_named_in_it(app: App) -> None:
    app.ws.versions.add_base(TASK, "v9", app.settings.model)
    folder = app.ws.version_folder("v9")
    folder.mkdir(parents=True)
    for card in ODD:
        (folder / "card.json").write_bytes(card)
        rows = {row["id"]: row for row in app.versions.tree(TASK)}
        assert app.settings.model in rows and rows["v9"]["before"] is None
        assert "The card of v9 cannot be read" in rows["v9"]["damaged"]


def test_a_version_without_a_folder_has_no_card(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert read_card(tmp_path / "none") == {} and read_card(tmp_path / "file" / "v") == {}
