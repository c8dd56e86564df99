"""Damaged files of every format are imported, or refused in a sentence, by an import and by the page."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from mmdemo.service.app import App
from tests.damaged import Takes, damaged, whole_files
from tests.data.layouts_to_mutate import inputs
from tests.mutated import Mutated, take

LONGEST_S = 5.0  # a file


@pytest.mark.parametrize("count", [23, pytest.param(300, marks=pytest.mark.slow)])
def test_no_damaged_file_breaks_an_import_or_the_page(
    make_app: Callable[..., App], tmp_path: Path, count: int
) -> None:
    (tmp_path / "in").mkdir()
    takes = Takes(make_app("damaged", samples=False), tmp_path / "in", LONGEST_S)
    files, chance = whole_files(), random.Random(count)
    for number in range(count):
        name = sorted(files)[number % len(files)]
        takes.take(name, damaged(files[name], chance))
    assert takes.told.faults == []
    assert takes.told.files == count and 0 < takes.told.imported < count and takes.told.uploaded


@pytest.mark.slow
def test_whole_files_of_every_format_are_imported_and_shown(
    make_app: Callable[..., App], tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    takes = Takes(make_app("whole", samples=False), tmp_path / "in", LONGEST_S)
    files = whole_files()
    for name, data in files.items():
        takes.take(name, data)
    assert takes.told.faults == []
    assert (takes.told.imported, takes.told.uploaded) == (len(files), len(files) - 7)


@pytest.mark.slow
def test_no_mutated_table_of_any_layout_breaks_an_import_or_loses_a_row(
    make_app: Callable[..., App], tmp_path: Path
) -> None:
    app, chance, told = make_app("mutated", samples=False), random.Random(7), Mutated()
    made = inputs(tmp_path / "in")
    for number in range(3 * len(made)):
        take(app.ws, *made[number % len(made)], chance, told, whole=number % 10 == 0)
    assert told.faults == [] and told.rows > told.skipped > 0 and told.refused
