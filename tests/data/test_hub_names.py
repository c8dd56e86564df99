"""Data sets of sound and video by their name, as datasets:NAME, laid out as the Hub has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest

from assets.sounds import wav_bytes
from mmdemo.data.reading import open_source
from mmdemo.data.rows import Row
from tests.data.conftest import VIDEO

Said = tuple[str, str, float | None, float | None, str]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


def sounds(count: int) -> list[bytes]:
    return [wav_bytes(np.full(8000, 0.01 * (i + 1), np.float32)) for i in range(count)]


def parquet(folder: Path, split: str, kind: Any, columns: dict[str, list[Any]]) -> None:
    """Write a split as the Hub has it: a column of files with their bytes in it."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    made = datasets.Dataset.from_dict(columns).cast_column(next(iter(columns)), kind)
    made.to_parquet(str(folder / "data" / f"{split}-00000-of-00001.parquet"))


def rows_of(folder: Path, task: str) -> list[Said]:
    with open_source(f"datasets:{folder}", task=task) as opened:
        assert opened.chosen.importer.name == "datasets"
        rows = list(opened.rows())
    assert all(isinstance(row, Row) and (row.data or row.file) for row in rows), rows
    return [(r.name, r.text, r.start_s, r.end_s, r.split) for r in rows if isinstance(r, Row)]


def test_a_column_of_sound_has_its_sentences_spans_and_sides(tmp_path: Path) -> None:
    cells = [{"bytes": data, "path": f"{i}.wav"} for i, data in enumerate(sounds(3))]
    said = {"transcription": ["one two", "three", "four"], "start": [0.1, None, 0.0], "end": [0.2, None, 0.4]}
    folder = tmp_path / "speech"
    for split, part in (("train", slice(0, 2)), ("test", slice(2, 3))):
        columns = {"audio": cells[part]} | {name: values[part] for name, values in said.items()}
        parquet(folder, split, datasets.Audio(sampling_rate=16000), columns)
    assert rows_of(folder, "speech-text") == [
        ("0.wav", "one two", 0.1, 0.2, "train"),
        ("1.wav", "three", None, None, "train"),
        ("2.wav", "four", 0.0, 0.4, "held-out"),
    ]


def test_a_column_of_videos_has_each_of_its_captions(tmp_path: Path) -> None:
    cells = [{"bytes": VIDEO.read_bytes() + bytes(i), "path": f"{i}.mp4"} for i in range(2)]
    said = {"caption": [["a dot", "a line"], ["a square"]], "start": [0.5, None], "end": [1.5, None]}
    parquet(tmp_path / "films", "train", datasets.Video(), {"video": cells} | said)
    assert rows_of(tmp_path / "films", "video-text") == [
        ("0.mp4", "a dot", 0.5, 1.5, "train"),
        ("0.mp4", "a line", 0.5, 1.5, "train"),
        ("1.mp4", "a square", None, None, "train"),
    ]


@pytest.mark.parametrize("task", ["speech-text", "video-text"])
def test_a_folder_of_recordings_or_videos_with_a_table_is_read_by_its_name(tmp_path: Path, task: str) -> None:
    suffix, files = ("wav", sounds(2)) if task == "speech-text" else ("mp4", [VIDEO.read_bytes()])
    folder = tmp_path / "in" / "train"
    folder.mkdir(parents=True)
    for i, data in enumerate(files):
        (folder / f"{i}.{suffix}").write_bytes(data)
    lines = [{"file_name": f"{i}.{suffix}", "transcription": f"sentence {i}"} for i in range(len(files))]
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert rows_of(folder.parent, task) == [
        (f"{i}.{suffix}", f"sentence {i}", None, None, "train") for i in range(len(files))
    ]
