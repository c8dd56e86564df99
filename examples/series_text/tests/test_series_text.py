from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from series_text import TASK
from series_text.series import read_series
from series_text.tower import load_towers

from mmdemo.data.reading import open_source
from mmdemo.data.rows import Row, Skipped
from mmdemo.errors import MediaError
from mmdemo.models.aligner import HeadAligner
from mmdemo.models.presets import PRESETS
from mmdemo.settings import load_settings

TIME, RANDOM = np.linspace(0, 1, 200), np.random.default_rng(0)
DRAWN = {  # what is in a series, and a person's words for it
    "the temperature goes up all day": 3 * TIME,
    "tides, a regular slow cycle": np.sin(18 * TIME),
    "a rapid vibration": np.sin(250 * TIME),
    "pure static without a pattern": RANDOM.normal(size=200) * 3,
    "a short sharp peak": 8.0 * (abs(TIME - 0.4) < 0.01),
    "suddenly it steps up to a higher level": 2.0 * (TIME > 0.6),
    "nothing changes, it stays constant": TIME * 0 + 5,
}


def test_a_table_is_read_by_its_columns_and_what_is_none_is_refused_in_a_sentence() -> None:
    assert read_series(b"time;a;b\n10:00;1;2\n10:01;3;4\n").tolist() == [[1, 2], [3, 4]]
    assert read_series(b"1,2\n3,4\n5,6\n").shape == (3, 2)
    for data in (b"", b"a,b\n", b"a\n1\n", b"a\n1\nx\n", b"1,2\n3\n", b"1\nnan\n", b"\0" + b"9" * 200000):
        with pytest.raises(MediaError, match="This file is no"):
            read_series(data)


def test_without_training_most_series_find_their_words() -> None:
    towers, _ = load_towers(PRESETS.get("series-statistics"), load_settings({}, device="cpu"))
    aligner = HeadAligner("base", TASK, towers, None, towers.calibration)
    noisy = [series + RANDOM.normal(size=200) * 0.05 for series in DRAWN.values()]
    scores = aligner.encode_media([s[:, None] for s in noisy]) @ aligner.encode_text(list(DRAWN)).T
    assert (scores.argmax(1) == np.arange(len(DRAWN))).mean() > 0.5  # by chance 0.125


def test_tables_of_the_ucr_archive_bring_a_series_a_line(tmp_path: Path) -> None:
    (tmp_path / "Coffee_TRAIN.tsv").write_text("1\t0.5\t0.25\n2\t1\t2\n")
    (tmp_path / "Coffee_TEST.tsv").write_text("1\t3\t4\n2\n")
    with open_source(str(tmp_path)) as opened:
        rows = list(opened.rows())
    assert opened.chosen.importer.name == "ucr"
    assert [(r.text, r.split, r.data) for r in rows if isinstance(r, Row)] == [
        ("class 1", "held-out", b"value\n3\n4"),
        ("class 1", "train", b"value\n0.5\n0.25"),
        ("class 2", "train", b"value\n1\n2"),
    ]
    assert [r.reason for r in rows if isinstance(r, Skipped)] == ["The line is no class and values."]
