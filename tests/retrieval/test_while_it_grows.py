"""Search while the collection grows: what a reader holds never changes under it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from mmdemo.asker import asked_until
from mmdemo.errors import BusyError
from mmdemo.models.video.aligner import FrameFeatures
from mmdemo.retrieval.video.frame_index import FrameIndex
from mmdemo.settings import ASSETS

GROWING = """
import sys, threading
import numpy as np
from mmdemo.service.app import App
from mmdemo.retrieval.embed import version_file
from mmdemo.retrieval.query import Query
from mmdemo.settings import load_settings

app = App(load_settings({}, workspace=sys.argv[1], device="cpu"))
keeper = app.context.keeper_of("image-text")
keeper.update()
aligner = app.models.aligner("image-text")
file, rng, over, wrong = version_file(app.ws, aligner), np.random.default_rng(0), threading.Event(), []

def grow():
    for step in range(60):
        part = rng.normal(size=(1000, 384)).astype(np.float32)
        part /= np.linalg.norm(part, axis=1, keepdims=True)
        file.append([f"{step * 1000 + i:064x}" for i in range(len(part))], part)
        keeper.update()
    over.set()

def ask():
    query = np.ones((1, 384), np.float32) / 384**0.5
    while not over.is_set():
        index = keeper.serving().index
        allowed = np.ones(len(index), bool)
        for scores, rows in (index.search(query, 10), index.search(query, 10, allowed)):
            if not (rows >= 0).all() or rows.max() >= len(file) or not (np.diff(scores) <= 0).all():
                wrong.append((scores, rows))

def search():
    while not over.is_set():
        found = app.context.searcher_of("image-text").search(Query(text="an apple", k=5, source="samples"))
        if not found.results:
            wrong.append("nothing found")

threads = [threading.Thread(target=t) for t in (grow, ask, ask, search)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("wrong:", wrong[:3], "rows:", len(keeper.serving().index) > 60_000)
"""


@pytest.mark.slow
def test_a_search_while_the_index_grows_neither_ends_the_process_nor_answers_wrongly(
    new_workspace: Path, tmp_path: Path
) -> None:
    shutil.copytree(new_workspace, tmp_path / "w")
    done = subprocess.run(
        [sys.executable, "-c", GROWING, str(tmp_path / "w")],
        capture_output=True,
        text=True,
        cwd=ASSETS.parent,
        timeout=300,
    )
    assert done.returncode == 0, (done.returncode, done.stderr[-2000:])
    assert done.stdout.strip() == "wrong: [] rows: True"


def test_videos_and_their_scores_are_of_one_moment_while_others_come(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    kept = {
        str(i): FrameFeatures(
            np.arange(n, dtype=np.float32),
            rng.normal(size=(n, 8)).astype(np.float32),
            np.array([[0, n]], np.float32),
        )
        for i, n in enumerate(rng.integers(1, 30, 200))
    }
    monkeypatch.setattr(
        "mmdemo.retrieval.video.frame_index.kept_features", lambda ws, tower, item: kept[item]
    )
    media = SimpleNamespace(id="tower")
    aligner = SimpleNamespace(dim=8, towers=SimpleNamespace(media=media), frame_vectors=lambda f: f.features)
    index = FrameIndex(cast(Any, None), cast(Any, aligner))
    text = rng.normal(size=(1, 8)).astype(np.float32)

    def add_and_ask(count: int) -> int:
        frames = index.extend(list(kept)[:count])
        scores = frames.scores(text)[:, 0]
        best = [float((frames.videos[i].vectors @ text[0]).max()) for i in frames.ids]
        assert np.allclose(scores, best)
        return len(best)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(add_and_ask, rng.permutation(200) + 1))
    assert max(found) == 200


def test_frames_are_made_for_who_waits_and_what_was_made_is_there_for_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[str] = []

    def kept(ws: Any, tower: str, item: str) -> FrameFeatures:
        made.append(item)
        return FrameFeatures(
            np.zeros(1, np.float32), np.ones((1, 8), np.float32), np.zeros((1, 2), np.float32)
        )

    monkeypatch.setattr("mmdemo.retrieval.video.frame_index.kept_features", kept)
    media = SimpleNamespace(id="tower")
    aligner = SimpleNamespace(dim=8, towers=SimpleNamespace(media=media), frame_vectors=lambda f: f.features)
    index, ids = FrameIndex(cast(Any, None), cast(Any, aligner)), list("abcde")
    with asked_until(lambda: len(made) == 3), pytest.raises(BusyError, match="Nobody waits"):
        index.extend(ids)
    assert made == list("abc") and index.lacking(ids) == list("de")
    assert index.extend(ids, stopped=lambda: len(made) == 4).ids == list("abcd")
    assert index.extend(ids).ids == ids and made == ids
    assert index.extend(["new", *ids], stopped=lambda: True).ids == ids and made == ids
