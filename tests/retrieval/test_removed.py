"""What is kept in memory of a collection follows what is taken out of it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from mmdemo.retrieval.speech.heard import HeardSounds
from mmdemo.retrieval.video.frame_index import FrameIndex
from mmdemo.store.changes import REMOVE, Target
from mmdemo.store.words import HEARD
from mmdemo.store.workspace import Workspace
from tests.conftest import png


def test_the_frames_of_a_video_that_is_out_are_in_no_matrix(ws: Workspace) -> None:
    """The index asks an aligner for its width and for the vectors of what is on the disk: these here."""
    videos = {"ab" * 32: [[1.0, 0.0], [0.6, 0.8]], "cd" * 32: [[0.0, 1.0]]}
    for item, rows in videos.items():
        path = ws.made.path("frames/tower", item, ".npz")
        path.parent.mkdir(parents=True)
        features, times = np.array(rows, np.float32), np.arange(float(len(rows)))
        np.savez(path, times=times, features=features, shots=np.array([[0.0, 2.0]]))
    media = SimpleNamespace(media=SimpleNamespace(id="tower"))
    index = FrameIndex(ws, SimpleNamespace(dim=2, towers=media, frame_vectors=lambda kept: kept.features))  # type: ignore[arg-type]
    both = index.extend(list(videos))
    left = index.extend(["cd" * 32])
    assert left.ids == ["cd" * 32] and left.matrix.tolist() == [[0.0, 1.0]]
    assert left.scores(np.eye(2, dtype=np.float32)).tolist() == [[0.0, 1.0]]
    assert len(both.matrix) == 3  # what a search holds never changes


def test_what_was_heard_in_a_removed_recording_sounds_like_nothing(ws: Workspace) -> None:
    """As many texts as before, one of them another's."""
    first, second = (ws.add_media("image", png((i, i, i)), f"{i}.png", source="test") for i in (1, 2))
    ws.words.put(first.id, HEARD, "tower", "a garden in the rain")
    sounds = HeardSounds()
    assert list(sounds.like(ws, "tower", "garden", None)) == [first.id]
    ws.changes.make(REMOVE, Target(items=(first.id,)))
    assert ws.removals.finish()
    ws.words.put(first.id, HEARD, "tower", "a garden in the rain")  # by who listened to it meanwhile
    ws.words.put(second.id, HEARD, "tower", "a winter in the garden")
    assert list(sounds.like(ws, "tower", "garden", None)) == [second.id]
