"""What can be made anew is made anew where it is damaged on the disk."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from mmdemo.retrieval.embed import encoder_states, feature_file, version_file
from mmdemo.retrieval.video.frames import frame_features, is_kept, kept_features
from mmdemo.service.app import App
from mmdemo.store.kept_arrays import read_arrays
from mmdemo.store.vectors import KEY_BYTES, VectorFile
from tests.conftest import TASK


def key(i: int) -> str:
    return f"{i:064x}"


def spoil(path: Path, row: int, dim: int, dtype: type = np.float32) -> None:
    """Overwrite a number on disk, as a failing disk does."""
    with path.open("r+b") as f:
        f.seek(row * dim * np.dtype(dtype).itemsize)
        f.write(np.array([np.nan], dtype).tobytes())


def test_a_damaged_row_is_missing_and_made_anew_and_the_others_stay(tmp_path: Path) -> None:
    file = VectorFile(tmp_path / "v", 4)
    file.append([key(i) for i in range(5)], np.arange(20.0).reshape(5, 4))
    spoil(tmp_path / "v.f32", 2, 4)
    assert file.missing([key(1), key(2), key(9)]) == [key(2), key(9)]
    assert file.keys() == [key(i) for i in (0, 1, 3, 4)] and np.isfinite(file.matrix()).all()
    file.append([key(2)], np.full((1, 4), 7.0))
    assert file.get([key(4), key(2), key(0)])[:, 0].tolist() == [16, 7, 0]
    again = VectorFile(tmp_path / "v", 4)
    assert again.keys() == file.keys() and (again.matrix() == file.matrix()).all()


def test_another_process_goes_on_with_what_it_has_and_then_with_the_new_file(tmp_path: Path) -> None:
    mine, other = VectorFile(tmp_path / "v", 4), VectorFile(tmp_path / "v", 4)
    mine.append([key(i) for i in range(5)], np.arange(20.0).reshape(5, 4))
    other.refresh()
    spoil(tmp_path / "v.f32", 0, 4)
    assert mine.drop_damaged() == 1
    assert other.keys_at(np.array([4])) == [key(4)] and other.get([key(4)])[0, 0] == 16
    other.append([key(7)], np.full((1, 4), 7.0))
    assert other.keys() == [key(i) for i in (1, 2, 3, 4, 7)]
    assert other.get([key(4), key(7)])[:, 0].tolist() == [16, 7]
    assert mine.refresh() == 5 and mine.get([key(7)])[0, 0] == 7


@pytest.mark.parametrize("left", ["nothing", "keys", "rows"])
def test_files_that_are_gone_or_left_alone_are_begun_anew(tmp_path: Path, left: str) -> None:
    file = VectorFile(tmp_path / "v", 4)
    file.append([key(1), key(2)], np.ones((2, 4)))
    for name, path in (("keys", tmp_path / "v.keys"), ("rows", tmp_path / "v.f32")):
        if left != name:
            path.unlink()
    assert file.refresh() == 0 and file.missing([key(1)]) == [key(1)]
    file.append([key(3)], np.full((1, 4), 3.0))
    assert file.keys() == [key(3)] and VectorFile(tmp_path / "v", 4).get([key(3)])[0, 0] == 3


@pytest.mark.parametrize("step", range(3))  # before the keys go, the rows change, the keys come back
def test_a_kill_while_rows_are_left_out_mixes_no_row_with_the_key_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    whole = {key(i): float(i) for i in range(5)}
    file = VectorFile(tmp_path / "v", 4)
    file.append(list(whole), np.repeat(np.arange(5.0), 4).reshape(5, 4))
    spoil(tmp_path / "v.f32", 1, 4)
    unlink, replace, taken = Path.unlink, Path.replace, iter(range(step))

    def unlink_or_die(self: Path, missing_ok: bool = False) -> None:
        if self.suffix == ".keys" and next(taken, None) is None:
            raise KeyboardInterrupt
        unlink(self, missing_ok)

    def replace_or_die(self: Path, target: Path) -> Path:
        if next(taken, None) is None:
            raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(Path, "unlink", unlink_or_die)
    monkeypatch.setattr(Path, "replace", replace_or_die)
    with pytest.raises(KeyboardInterrupt):
        file.drop_damaged()
    monkeypatch.undo()
    again = VectorFile(tmp_path / "v", 4)
    again.missing(list(whole))
    assert len(again) == (4 if step == 0 else 0)
    assert all(again.get([one])[0, 0] == whole[one] for one in again.keys())  # noqa: SIM118


def test_damaged_vectors_of_a_collection_are_made_anew_before_it_is_searched(app: App) -> None:
    aligner = app.models.aligner(TASK)
    items = app.ws.items.listed("image")
    features, vectors = feature_file(app.ws, aligner.towers), version_file(app.ws, aligner)
    rows = {id(f): f.rows_of([items[3].id])[0] for f in (features, vectors)}
    was = [f.get([items[3].id]) for f in (features, vectors)]
    app.close()
    for f, dtype in ((features, np.float16), (vectors, np.float32)):
        spoil(f._rows_path, rows[id(f)], f.dim, dtype)
    again = App(app.settings)
    try:
        serving = again.context.keeper.update()
        made = [f(again.ws, x).get([items[3].id]) for f, x in
                ((feature_file, serving.aligner.towers), (version_file, serving.aligner))]  # fmt: skip
        assert all(np.allclose(a, b, atol=1e-2) for a, b in zip(made, was, strict=True))
        assert len(serving.index) == len(items)
        assert np.isfinite(version_file(again.ws, serving.aligner).matrix()).all()
    finally:
        again.close()


def test_keys_without_rows_are_not_rows(tmp_path: Path) -> None:
    VectorFile(tmp_path / "v", 4).append([key(1)], np.ones((1, 4)))
    with (tmp_path / "v.keys").open("ab") as f:
        f.write(os.urandom(KEY_BYTES * 3 + 5))
    file = VectorFile(tmp_path / "v", 4)
    file.append([key(2)], np.zeros((1, 4)))
    assert file.keys() == [key(1), key(2)]


@pytest.mark.parametrize(
    "damage",
    [b"PK\x03\x04 and no more", *(pytest.param(d, marks=pytest.mark.slow) for d in (b"", os.urandom(500)))],
)
def test_what_is_kept_of_a_video_or_a_recording_is_made_anew_where_it_is_damaged(
    heard_app: App, damage: bytes
) -> None:
    app = heard_app
    video, recording = app.ws.items.listed("video")[0], app.ws.items.listed("audio")[0]
    tower = app.models.aligner("video-text").towers.media
    was = frame_features(app.ws, tower, video)
    kept = app.ws.made.path(f"frames/{tower.id}", video.id, ".npz")
    kept.write_bytes(damage)
    assert not is_kept(app.ws, tower.id, video.id) and kept_features(app.ws, tower.id, video.id) is None
    assert (frame_features(app.ws, tower, video).features == was.features).all()
    hears = app.models.aligner("speech-text").towers.media
    states = encoder_states(app.ws, hears, recording)
    path = app.ws.made.path(f"states/{hears.id}", recording.id, ".npz")
    path.write_bytes(damage)
    assert np.allclose(encoder_states(app.ws, hears, recording).windows[0], states.windows[0])


def test_kept_arrays_with_what_is_no_number_are_removed(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", good=np.arange(3), bad=np.array([1.0, np.inf]))
    assert list(read_arrays(tmp_path / "a.npz", ("good",))) == ["good"]
    assert read_arrays(tmp_path / "a.npz") == {} and not (tmp_path / "a.npz").exists()
