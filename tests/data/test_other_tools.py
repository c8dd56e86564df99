"""The tools that exports are for take them, by their own code, and what Label Studio gives back is imported.

MMDEMO_LABEL_STUDIO_PYTHON and MMDEMO_ARGILLA_PYTHON name a Python that has the tool, as what these need is
another than what mmdemo needs: `python -m venv there && there/bin/pip install label-studio==1.23.*`.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mmdemo.data.exporting import export_labels
from mmdemo.data.importing import import_source
from mmdemo.modality import modality_of
from mmdemo.service.app import App
from mmdemo.settings import ASSETS
from mmdemo.store.labels import NewLabel
from mmdemo.store.workspace import Workspace

HERE = Path(__file__).parent
WHERE = {
    "image-text": ASSETS / "photos",
    "speech-text": ASSETS / "speech" / "samples",
    "video-text": ASSETS / "video",
}


def python_with(tool: str) -> str:
    """The Python that has a tool."""
    named = os.environ.get(f"MMDEMO_{tool.upper()}_PYTHON", "")
    if not named and importlib.util.find_spec(tool) is None:
        pytest.skip(f"{tool} is not installed; MMDEMO_{tool.upper()}_PYTHON names a Python that has it")
    return named or sys.executable


def fill(ws: Workspace, task: str, spans: bool = True) -> None:
    """Two files, each with two labels, of spans where there are any and they are wanted."""
    files = sorted(f for f in WHERE[task].iterdir() if modality_of(task).claims(f))[:2]
    for i, file in enumerate(files):
        item = ws.add_media(modality_of(task).name, file, file.name, source="t")
        span = {} if task == "image-text" or not spans else {"start_s": 0.25, "end_s": 0.75 + i}
        with ws.database.write() as session:
            pair, _ = ws.pairs.add(session, task, item.id, f"text {i}", source="t", split="train", **span)
            ws.labels.add_in(session, pair, NewLabel("mismatch", annotator="Bo", comment="no\nnever"))
            ws.labels.add_in(session, pair, NewLabel("match", text="better" * i, annotator="Ada"))


def told(ws: Workspace, task: str) -> list[tuple[object, ...]]:
    return [
        (p.item, p.name, p.text, p.verdict, p.corrected, p.start_s, p.end_s, p.split, p.annotator, p.comment)
        for p in ws.pairs.each_label(task, every=True)
    ]


@pytest.mark.slow
def test_label_studio_takes_the_tasks_and_what_it_gives_back_is_the_same(
    ws: Workspace, tmp_path: Path, make_app: Callable[..., App]
) -> None:
    python = python_with("label_studio")
    for task in WHERE:
        fill(ws, task)
        export_labels(ws, tmp_path / task, task, "label-studio", every=True)
    answers = tmp_path / "answers.json"
    command = [
        python,
        str(HERE / "label_studio_server.py"),
        str(answers),
        *(str(tmp_path / t) for t in WHERE),
    ]
    subprocess.run(command, check=True, timeout=600, capture_output=True)
    for task, answer in json.loads(answers.read_text()).items():
        assert answer["status"] == 201
        assert [(t["task_count"], t["annotation_count"]) for t in answer["taken"]] == [(2, 4)]
        items = [item.id for item in ws.items.listed("audio")] if task == "speech-text" else []
        assert answer["served"] == items, "sound lies beside the tasks, and is served from there"
        back = tmp_path / task / "back.json"
        back.write_text(json.dumps(answer["back"]))
        other = make_app(f"other-{task}", samples=False).ws
        report = import_source(other, str(back), task)
        assert (report.layout, report.skipped) == ("label-studio", [])
        assert told(other, task) == told(ws, task)


@pytest.mark.slow
def test_argilla_s_upload_model_takes_the_records(ws: Workspace, tmp_path: Path) -> None:
    python = python_with("argilla")
    for task in WHERE:
        fill(ws, task)
        export_labels(ws, tmp_path / task, task, "argilla", every=True)
    command = [python, str(HERE / "argilla_records.py"), *(str(tmp_path / t) for t in WHERE)]
    done = subprocess.run(command, check=True, timeout=300, capture_output=True, text=True)
    sent = json.loads(done.stdout)
    assert len(sent) == 6
    for record in sent:
        assert record["metadata"]["split"] == "train"
        answers = {r["values"]["verdict"]["value"] for r in record["responses"]}
        assert answers == {"match", "mismatch"} and len({r["user_id"] for r in record["responses"]}) == 2
        assert {s["type"] for s in record["suggestions"]} == {"human"}


@pytest.mark.slow
def test_tables_for_training_are_read_by_what_reads_them(
    ws: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets, pandas = pytest.importorskip("datasets"), pytest.importorskip("pandas")
    modality = pytest.importorskip("sentence_transformers.base.modality")
    for task in WHERE:
        fill(ws, task, spans=False)
        out = tmp_path / task
        export_labels(ws, out, task, "sentence-transformers", every=True)
        monkeypatch.chdir(out)
        found = datasets.load_dataset(
            "json", data_files={"train": "train.jsonl"}, cache_dir=str(tmp_path / "cache")
        )
        lines = [*found["train"]]
        assert [line["label"] for line in lines] == [0.0, 1.0, 0.0, 1.0]
        assert {modality.infer_modality(line["anchor"]) for line in lines} == {modality_of(task).known_as}
    export_labels(ws, tmp_path / "clip", "image-text", "open-clip", every=True)
    table = pandas.read_csv(tmp_path / "clip" / "train.tsv", sep="\t")  # as OpenCLIP's CsvDataset does
    assert table["title"].tolist() == ["text 0", "better"]
    assert all((tmp_path / "clip" / name).is_file() for name in table["filepath"])
