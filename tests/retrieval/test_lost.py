"""What is gone of a medium is left out of a search, and what is damaged is made anew, while it runs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mmdemo.retrieval.embed import feature_file, version_file
from mmdemo.retrieval.query import Query
from mmdemo.retrieval.results import Results
from mmdemo.service.app import App
from mmdemo.store.vectors import VectorFile
from tests.conftest import TASK

ASKED = Query(text="a rocket", k=24, everything=True)


def ids(found: Results) -> list[str]:
    return [r.item for r in found.results]


def spoil(file: VectorFile, keys: list[str], value: float) -> None:
    """Overwrite rows on the disk, as a failing disk does."""
    with file._rows_path.open("r+b") as f:
        for row in file.rows_of(keys).tolist():
            f.seek(row * file.dim * file.dtype.itemsize)
            f.write(np.full(file.dim, value, file.dtype).tobytes())


@pytest.fixture
def files(app: App) -> tuple[VectorFile, VectorFile]:
    """The features and the vectors of the pictures."""
    aligner = app.models.aligner(TASK)
    return feature_file(app.ws, aligner.towers), version_file(app.ws, aligner)


def test_a_picture_that_is_gone_with_what_was_made_of_it_is_left_out_and_told_once(
    app: App,
    make_app: Callable[..., App],
    files: tuple[VectorFile, VectorFile],
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = ids(app.media.search(ASKED))
    gone = before[:2]
    for item in app.ws.items.of(gone).values():
        app.ws.media_path(item).unlink()
    kept = np.setdiff1d(np.arange(len(files[0])), files[0].rows_of([*gone, before[2]]))
    files[0]._keep_only(kept)
    app.close()
    caplog.clear()
    again = make_app()
    found = ids(again.media.search(ASKED))
    assert found == [item for item in ids(again.media.search(ASKED)) if item not in gone]
    assert set(before[2:]) <= set(found) and len(found) == len(before)
    told = [r.getMessage() for r in caplog.records if "passed over" in r.getMessage()]
    assert len(told) == len(gone)


def test_a_server_goes_on_with_what_another_process_has_mended(
    app: App, make_app: Callable[..., App], files: tuple[VectorFile, VectorFile]
) -> None:
    before = ids(app.media.search(ASKED))
    for file in files:
        spoil(file, before[:3], np.nan)
    other = make_app()
    for file in files:
        VectorFile(file._rows_path.with_suffix(""), file.dim, file.dtype.type).drop_damaged()
    other.context.keeper.update()
    assert ids(app.media.search(ASKED)) == before


@pytest.mark.parametrize("value", [np.nan, 6.5e4])
@pytest.mark.parametrize("which", [0, 1])
def test_rows_that_are_damaged_while_it_runs_are_made_anew_by_the_search_that_meets_them(
    app: App, files: tuple[VectorFile, VectorFile], which: int, value: float
) -> None:
    before = ids(app.media.search(ASKED))
    spoil(files[which], before[:3], value)
    assert set(before[3:]) <= set(ids(app.media.search(ASKED)))
    assert app.context.keeper.wait(30)
    assert ids(app.media.search(ASKED)) == before


def test_a_search_by_a_picture_whose_row_is_damaged_has_the_rows_of_the_others_in_their_places(
    app: App, files: tuple[VectorFile, VectorFile]
) -> None:
    item = app.ws.items.ids("image")[5]
    asked = Query(item=item, k=10)
    before = ids(app.media.search(asked))
    spoil(files[1], [item], np.nan)
    assert ids(app.media.search(asked)) == before


def test_a_recording_that_is_gone_with_what_was_heard_in_it_is_left_out(heard_app: App) -> None:
    asked = Query(text="thunder", k=10, everything=True)
    before = ids(heard_app.context.searcher_of("speech-text").search(asked))
    item = heard_app.ws.items.of(before[:1])[before[0]]
    heard_app.ws.media_path(item).unlink()
    tower = heard_app.models.aligner("speech-text").towers.media
    heard_app.ws.made.path(f"states/{tower.id}", item.id, ".npz").unlink()
    searcher = heard_app.context.searcher_of("speech-text")
    searcher._evidence = None  # as after a start
    assert ids(searcher.search(asked))[: len(before) - 1] == before[1:]  # and one more in its place
