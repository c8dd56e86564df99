"""A modality from another package, installed as pip installs it, in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.series_data import write_series

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "examples" / "series_text"
TASK = "series-text"


@pytest.fixture
def environment(series_text: Path, tmp_path: Path) -> dict[str, str]:
    """What a shell has after `pip install ./examples/series_text`."""
    own = {"MMDEMO_WORKSPACE": str(tmp_path / "w"), "MMDEMO_DEVICE": "cpu", "MMDEMO_SAMPLES": "false"}
    return os.environ | own | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(series_text)])}


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mmdemo", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT)


def answer(environment: dict[str, str], *arguments: str) -> Any:
    done = run(environment, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_it_is_small_touches_nothing_of_mmdemo_and_passes_its_own_test(environment: dict[str, str]) -> None:
    files = [f for f in PACKAGE.rglob("*") if f.suffix in {".py", ".toml"}]
    assert sum(len(f.read_text().splitlines()) for f in files) < 250
    command = [sys.executable, "-m", "pytest", "-n0", "-p", "no:cacheprovider", str(PACKAGE / "tests")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_series_go_the_whole_way_from_the_command_line(environment: dict[str, str], tmp_path: Path) -> None:
    rows = write_series(tmp_path / "labelled", verdict="match")
    task = ("--task", TASK)
    imported = answer(environment, "import", str(tmp_path / "labelled"), *task)
    assert imported == {"items": len(rows), "pairs": len(rows), "labels": len(rows), "skipped": []}
    rising = str(rows[0][0])
    scores = answer(environment, "align", rising, "it goes up", "random noise", *task)["scores"]
    assert scores[0]["probability"] > 0.5 > scores[1]["probability"]
    found = answer(environment, "search", "a quick oscillation", "-k", "3", *task)["results"]
    assert [r["text"] for r in found] == ["a fast vibration"] * 3
    assert answer(environment, "search", rising, "-k", "3", *task)["results"][0]["text"] == rows[0][1]
    trained = answer(environment, "train", "--epochs", "3", *task)
    assert trained["status"] == "done" and trained["before"]["pairs"] == 10
    versions = answer(environment, "models", *task)["versions"]
    assert [v["task"] for v in versions] == [TASK, TASK] and versions[0]["id"] == "series-statistics"
    assert answer(environment, "evaluate", *task)["text_to_media"]["R@1"] > 50
    assert answer(environment, "export", str(tmp_path / "out"), *task)["labels"] == len(rows)
    assert answer(environment, "caption", rising)["captions"][0]["text"] == "the level rises"


def test_in_folders_series_are_told_from_manifests_by_their_name(
    environment: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "plain"
    rows = write_series(folder, each=1)
    (folder / "metadata.csv").unlink()
    for path, text in rows:
        named = path.with_name(path.stem + ".series.csv")
        path.rename(named)
        named.with_suffix(".txt").write_text(text)
    (folder / "other.csv").write_text("1,2\n3,4\n")
    done = answer(environment, "import", str(folder), "--task", TASK)
    assert (done["items"], done["pairs"]) == (len(rows), len(rows))
    assert [s["file"] for s in done["skipped"]] == ["other.csv"]
    one = answer(environment, "import", str(folder / "s00.series.csv"), "--task", TASK)
    assert (one["items"], one["pairs"], one["skipped"]) == (0, 0, [])


def test_pytorch_is_not_imported_before_a_tower_is_asked_for(environment: dict[str, str]) -> None:
    code = (
        "import sys, mmdemo.ui.shell, mmdemo.settings\nfrom mmdemo.modality import modality_of\n"
        "modality_of('series-text').describe(b'1,2\\n3,4', mmdemo.settings.load_settings())\n"
        "print('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.split() == ["False"], done.stderr


def test_what_is_no_table_of_numbers_is_one_sentence(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "words.csv").write_text("a,b\nx,y\n")
    done = run(environment, "align", str(tmp_path / "words.csv"), "rising", "--task", TASK)
    assert done.returncode == 2 and done.stderr.startswith("mmdemo: words.csv is no table of numbers")
    assert done.stderr.count("\n") == 1
