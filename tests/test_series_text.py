"""A modality from another package, installed as pip installs it, in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.series_data import write_series

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "examples" / "series_text"
TASK = "series-text"


Run = Callable[..., tuple[int, str, str]]  # a command; its exit status, and what it has written
Answer = Callable[..., Any]
# One command after another in one process, which imports PyTorch once.
SEVERAL = """
import io, json, sys
from contextlib import redirect_stderr, redirect_stdout
from mmdemo.command_line import main

for line in sys.stdin:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = main(json.loads(line))
    print(json.dumps([status, out.getvalue(), err.getvalue()]), flush=True)
"""


@pytest.fixture(scope="module")
def environment(series_text: Path) -> dict[str, str]:
    """What a shell has after `pip install ./examples/series_text`."""
    own = {"MMDEMO_DEVICE": "cpu", "MMDEMO_SAMPLES": "false"}
    return os.environ | own | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(series_text)])}


@pytest.fixture(scope="module")
def several(environment: dict[str, str]) -> Iterator[Run]:
    """Carries out commands in a process of their own."""
    process = subprocess.Popen(
        [sys.executable, "-c", SEVERAL], env=environment, cwd=ROOT, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip

    def run(*arguments: str) -> tuple[int, str, str]:
        assert process.stdin is not None and process.stdout is not None
        print(json.dumps(arguments), file=process.stdin, flush=True)
        status, out, err = json.loads(process.stdout.readline())
        return status, out, err

    yield run
    process.communicate()


@pytest.fixture
def run(several: Run, tmp_path: Path) -> Run:
    """Carries out a command on a workspace of the test's own."""
    return lambda *arguments: several(*arguments, "--workspace", str(tmp_path / "w"))


@pytest.fixture
def answer(run: Run) -> Answer:
    """The JSON that a command answers in."""

    def of(*arguments: str) -> Any:
        status, out, err = run(*arguments, "--json")
        assert status == 0, err
        return json.loads(out)

    return of


@pytest.mark.slow
def test_it_is_small_touches_nothing_of_mmdemo_and_passes_its_own_test(environment: dict[str, str]) -> None:
    files = [f for f in PACKAGE.rglob("*") if f.suffix in {".py", ".toml"}]
    lines = sum(len(f.read_text().splitlines()) for f in files)
    assert lines < 320 and f"such a package, {lines} lines with its test" in (ROOT / "README.md").read_text()
    command = [sys.executable, "-m", "pytest", "-n0", "-p", "no:cacheprovider", str(PACKAGE / "tests")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_series_go_the_whole_way_from_the_command_line(
    environment: dict[str, str], answer: Answer, tmp_path: Path
) -> None:
    rows = write_series(tmp_path / "labelled", verdict="match")
    task = ("--task", TASK)
    alone = subprocess.run(
        [sys.executable, "-m", "mmdemo", "import", str(tmp_path / "labelled"), *task, "--json"],
        env=environment | {"MMDEMO_WORKSPACE": str(tmp_path / "w")}, cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert alone.returncode == 0, alone.stderr
    told = json.loads(alone.stdout)
    assert [told[name] for name in ("items", "pairs", "labels", "skipped")] == [*[len(rows)] * 3, []]
    rising = str(rows[0][0])
    scores = answer("align", rising, "it goes up", "random noise", *task)["scores"]
    assert scores[0]["similarity"] > scores[1]["similarity"]
    assert all((s["measured"], s["zone"]) == (False, "") for s in scores), "nothing of it was measured"
    found = answer("search", "a quick oscillation", "-k", "3", *task)["results"]
    assert [(r["text"], r["probability"]) for r in found] == [("a fast vibration", None)] * 3
    assert answer("search", rising, "-k", "3", *task)["results"][0]["text"] == rows[0][1]
    trained = answer("train", "--epochs", "3", *task)
    assert trained["status"] == "done" and trained["before"]["pairs"] == 10
    versions = answer("models", *task)["versions"]
    assert [v["task"] for v in versions] == [TASK, TASK] and versions[0]["id"] == "series-statistics"
    assert answer("evaluate", *task)["text_to_media"]["R@1"] > 50
    assert answer("export", str(tmp_path / "out"), *task)["labels"] == len(rows)
    assert answer("caption", rising)["captions"][0]["text"] == "the level rises"


def test_in_folders_series_are_told_from_manifests_by_their_name(answer: Answer, tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    rows = write_series(folder, each=1)
    (folder / "metadata.csv").unlink()
    for path, text in rows:
        named = path.with_name(path.stem + ".series.csv")
        path.rename(named)
        named.with_suffix(".txt").write_text(text)
    (folder / "other.csv").write_text("1,2\n3,4\n")
    done = answer("import", str(folder), "--task", TASK)
    assert (done["items"], done["pairs"]) == (len(rows), len(rows))
    assert [s["file"] for s in done["skipped"]] == ["other.csv"]
    one = answer("import", str(folder / "s00.series.csv"), "--task", TASK)
    assert (one["items"], one["pairs"], one["skipped"]) == (0, 0, [])


@pytest.mark.slow
def test_pytorch_is_not_imported_before_a_tower_is_asked_for(environment: dict[str, str]) -> None:
    code = (
        "import sys, mmdemo.ui.shell, mmdemo.settings\nfrom mmdemo.modality import modality_of\n"
        "modality_of('series-text').describe(b'1,2\\n3,4', mmdemo.settings.load_settings())\n"
        "print('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.split() == ["False"], done.stderr


def test_what_is_no_table_of_numbers_is_one_sentence(run: Run, tmp_path: Path) -> None:
    (tmp_path / "words.csv").write_text("a,b\nx,y\n")
    status, _, err = run("align", str(tmp_path / "words.csv"), "rising", "--task", TASK)
    assert status == 2 and err.startswith("mmdemo: words.csv is no table of numbers")
    assert err.count("\n") == 1
