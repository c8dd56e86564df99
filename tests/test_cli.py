"""The command line as other programs call it: JSON on standard output, the status says what happened."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import mmdemo
from mmdemo.command_line import main
from mmdemo.settings import ASSETS
from tests.conftest import png


def call(workspace: Path, *arguments: str) -> Any:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        status = main([arguments[0], "--workspace", str(workspace), "--json", *arguments[1:]])
    assert status == 0
    return json.loads(out.getvalue())


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(list(arguments)) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1
    return captured.err


@pytest.fixture(autouse=True)
def cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMDEMO_DEVICE", "cpu")
    monkeypatch.delenv("MMDEMO_WORKSPACE", raising=False)


@pytest.mark.slow
def test_the_whole_loop_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMDEMO_SAMPLES", "false")
    manifest = tmp_path / "m.csv"
    lines = (ASSETS / "clipart" / "metadata.csv").read_text().splitlines()
    kept = [line.replace("images/", "", 1) for line in lines[1:] if line.count(",") == 4][::3]
    for line in kept:
        name = line.split(",")[0]
        (tmp_path / name).write_bytes((ASSETS / "clipart" / "images" / name).read_bytes())
    manifest.write_text("\n".join([lines[0], *kept]))
    space = tmp_path / "w"
    done = call(space, "import", str(manifest), "--task", "image-text", "--verdict", "match")
    different = {(tmp_path / line.split(",")[0]).read_bytes() for line in kept}  # two drawings are one file
    assert (done["items"], done["pairs"], done["labels"]) == (len(different), len(kept), len(kept))
    assert done["skipped"] == []
    before = call(space, "evaluate", "--task", "image-text")
    assert list(before)[-1] == "split" and before["split"] == "held-out"
    trained = call(space, "train", "--task", "image-text", "--seed", "1", "--epochs", "4")
    assert trained["status"] == "done" and trained["before"]["pairs"] == before["pairs"]
    assert trained["before"]["text_to_media"] == before["text_to_media"]
    versions = call(space, "models")["versions"]
    assert [v["active"] for v in versions] == [not trained["promoted"], trained["promoted"]]
    after = call(space, "evaluate", "--task", "image-text", "--model", trained["model"])
    assert after["media_to_text"] == trained["after"]["media_to_text"]
    call(space, "models", "activate", versions[0]["id"])
    table = call(space, "models", "compare", versions[0]["id"], trained["model"])
    assert table["pairs"] == before["pairs"] and [r["version"] for r in table["rows"]] == [
        v["id"] for v in versions
    ]
    left = call(space, "models", "remove", trained["model"])["versions"]
    assert [v["id"] for v in left] == [versions[0]["id"]]
    found = call(space, "search", "a red apple", "--task", "image-text", "-k", "3")["results"]
    assert len(found) == 3 and set(found[0]) >= {"item", "file", "text", "score", "start", "end"}
    out = call(space, "export", str(tmp_path / "out"), "--task", "image-text", "--format", "jsonl")
    assert out["labels"] == len(kept) and Path(out["path"]).is_file()


def test_align_and_caption(tmp_path: Path) -> None:
    cup = str(ASSETS / "photos" / "coffee.jpg")
    scores = call(tmp_path, "align", cup, "a rocket", "a cup of espresso", "--task", "image-text")["scores"]
    assert [s["text"] for s in scores] == ["a rocket", "a cup of espresso"]
    assert scores[1]["probability"] > scores[0]["probability"]
    captions = call(tmp_path, "caption", cup)["captions"]
    assert captions[0]["start"] is None and captions[0]["score"] >= captions[-1]["score"]


@pytest.mark.slow
def test_evaluate_measures_a_manifest_that_never_enters_the_workspace(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png())
    (tmp_path / "b.png").write_bytes(png((0, 0, 200)))
    (tmp_path / "m.csv").write_text("file_name,text\na.png,red\nb.png,blue\n")
    done = call(tmp_path / "w", "evaluate", "--pairs", str(tmp_path / "m.csv"))
    assert done["split"] == "all"
    assert done["pairs"] == 2 and done["text_to_media"]["R@5"] == 100.0


def test_what_is_wrong_is_one_line_on_standard_error_and_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    space = ["--workspace", str(tmp_path / "w")]
    assert "does not exist" in refused(capsys, "import", *space, str(tmp_path / "gone"))
    assert "no task 'smell-text'" in refused(capsys, "search", *space, "x", "--task", "smell-text")
    assert "does not exist" in refused(capsys, "align", *space, "gone.jpg", "x")
    assert "held-out side" in refused(capsys, "train", *space)
    assert "cannot be trained by the method 'lora'" in refused(capsys, "train", *space, "--method", "lora")
    assert "learns nothing" in refused(capsys, "train", *space, "--learning-rate", "0")
    assert "epochs is 'ten'" in refused(capsys, "train", *space, "--epochs", "ten")
    assert "learning rate is nan" in refused(capsys, "train", *space, "--learning-rate", "nan")
    assert "No captioner is active" in refused(capsys, "train", *space, "--task", "captioning")
    assert "One version is nothing" in refused(capsys, "models", *space, "compare", "v1")
    assert "no version 'v1'" in refused(capsys, "models", *space, "activate", "v1")
    assert "Use one of: activate, compare" in refused(capsys, "models", *space, "foo")
    assert refused(capsys, "export", *space, "").endswith("out is empty. Write a new folder.\n")
    assert "No data set is named. Write datasets:NAME" in refused(capsys, "import", *space, "datasets:")
    assert "is a folder, not a file" in refused(capsys, "search", *space, str(tmp_path))
    assert "no export format 'xml'" in refused(
        capsys, "export", *space, str(tmp_path / "o"), "--format", "xml"
    )


def test_standard_output_is_json_and_nothing_else(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mmdemo", "settings", "--workspace", str(tmp_path), "--json"],
        capture_output=True,
        text=True,
        cwd=ASSETS.parent,
    )
    assert done.returncode == 0 and json.loads(done.stdout)["workspace"] == str(tmp_path)


def test_a_backup_from_the_command_line_restores_into_a_new_workspace(tmp_path: Path) -> None:
    call(tmp_path / "w", "backup", str(tmp_path / "b.zip"))
    assert call(tmp_path / "v", "restore", str(tmp_path / "b.zip"))["workspace"] == str(tmp_path / "v")
    assert call(tmp_path / "v", "models") == call(tmp_path / "w", "models")


@pytest.mark.slow
def test_an_operation_that_is_one_new_file_is_on_every_surface(tmp_path: Path) -> None:
    shutil.copytree(Path(mmdemo.__file__).parent, tmp_path / "mmdemo")
    (tmp_path / "assets").symlink_to(ASSETS)
    (tmp_path / "mmdemo" / "service" / "operations" / "shout.py").write_text(
        '''"""Words in capitals."""
from pydantic import Field

from mmdemo.service.app import App
from mmdemo.service.operations.requests import Answer, Request
from mmdemo.service.operations.table import operation


class ShoutRequest(Request):
    """What is said."""

    words: str = Field(description="what is said", max_length=40)


class ShoutAnswer(Answer):
    """How it is shouted."""

    loud: str


@operation("shout_out", role="viewer", public=True)
def shout_out(app: App, request: ShoutRequest) -> ShoutAnswer:
    """Say it louder."""
    return ShoutAnswer(loud=request.words.upper())
''',
        encoding="utf-8",
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "MMDEMO_SAMPLES": "0"}

    def python(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True
        )

    done = python("-m", "mmdemo", "shout-out", "good morning", "--workspace", str(tmp_path / "w"))
    assert json.loads(done.stdout) == {"loud": "GOOD MORNING"}
    refused = python("-m", "mmdemo", "shout-out", "a" * 41, "--workspace", str(tmp_path / "w"))
    assert refused.returncode == 2 and len(refused.stderr.splitlines()) == 1
    assert "/shout_out" in python("-m", "mmdemo.service.operations.document").stdout


def test_no_verb_is_answered_with_what_opens_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    told = capsys.readouterr().err
    assert "mmdemo serve" in told and "--help" in told and len(told.splitlines()) == 1
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out.split() == ["mmdemo", mmdemo.__version__]


def test_a_verb_with_a_field_called_run_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(tmp_path / "w", "training-status")["status"]
    assert "0123" in refused(capsys, "training-status", "--run", "0123", "--workspace", str(tmp_path / "w"))
