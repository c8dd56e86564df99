"""The Fine-tune tab: what it will train on, the run, before and after, promote or not."""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mmdemo.demo import Demo
from mmdemo.errors import UserError
from mmdemo.models.manager import version_source
from mmdemo.models.presets import PRESETS, PROPOSED
from mmdemo.models.protocols import CAPTIONING, DEFAULT_TASK, Task
from mmdemo.models.registry import loaders_by_hand
from mmdemo.store.pairs import HELD_OUT, TRAIN
from mmdemo.ui.routes import action
from mmdemo.ui.tabs.common import text_of
from mmdemo.ui.uploads import exchange_folder, offer
from mmdemo.ui.widgets import widget


def build() -> None:
    """Lay the tab out."""
    widget("finetune", "charts", "runs", "versions", "models")


def _task(demo: Demo, body: dict[str, Any]) -> Task:
    """The task that a request is about, captioning among them."""
    return demo.version_task(text_of(body, "task", DEFAULT_TASK) or DEFAULT_TASK)


@action("training_data")
def training_data(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """The labels by side and verdict, what they lack, and how the active model can learn from them."""
    from mmdemo.labeling.snapshot import check_snapshot, take_snapshot

    task = _task(demo, body)
    labelled = DEFAULT_TASK if task == CAPTIONING else task
    snapshot = take_snapshot(demo.ws, labelled)
    report = check_snapshot(demo.ws, snapshot)
    counts = demo.ws.labels.counts(labelled)
    active = demo.ws.versions.active(task)
    preset = None if active == PROPOSED else version_source(demo.ws, active).preset

    def side(split: str) -> dict[str, int]:
        return {"match": len(snapshot.of(split, True)), "mismatch": len(snapshot.of(split, False))}

    return {
        "counts": counts.as_json(),
        "train": side(TRAIN),
        "held_out": side(HELD_OUT),
        "aside": counts.usable - len(snapshot.examples),
        "missing": list(report.missing),
        "warnings": list(report.warnings),
        "active": active,
        "parent": demo.ws.versions.previous(task),
        "methods": list(preset.methods) if preset else [],
        "heads": list(preset.heads) if preset else [],
    }


@action("estimate_training")
def estimate_training(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """How long a run with these settings would take here."""
    return demo.estimate_training(_task(demo, body), text_of(body, "method", "head"), _settings(body))


@action("models")
def models(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """The models that a task can start from, what they need, and what computes here."""
    from mmdemo.models.hub.local_cache import is_at_hand
    from mmdemo.models.memory import device_facts, memory_mb, weights_mb

    task = _task(demo, body)
    active = demo.ws.versions.active(task)
    base = active if active == PROPOSED else demo.ws.versions.get(active).base
    device = device_facts(demo.settings)
    free_mb = device["total_mb"] - device["used_mb"]
    rows = [
        {
            "id": p.id,
            "architecture": p.architecture,
            "weights": p.media_tower if p.revision else "",
            "revision": p.revision,
            "about": p.about,
            "licence": p.licence,
            "size_mb": weights_mb(p),
            "memory_mb": memory_mb(p),
            "fits": memory_mb(p) <= free_mb,
            "at_hand": is_at_hand(p),
            "methods": list(p.methods),
            "base": base in {p.id, p.spec},
        }
        for p in PRESETS.values()
        if p.task == task
    ]
    by_hand = loaders_by_hand(task)
    return {"models": rows, "by_hand": by_hand, "base": base, "device": device}


@action("device")
def device(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """What computes here, and how busy it is."""
    from mmdemo.models.memory import device_facts

    return device_facts(demo.settings)


@action("choose_model", writes=True)
def choose_model(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """Load a model and make it the active version; the answer comes when it is loaded."""
    name = text_of(body, "model").strip()
    if not name:
        raise UserError("There is no model named.", "Choose one, or write LOADER:NAME.")
    return demo.choose_model(_task(demo, body), name, text_of(body, "annotator"))


@action("loading")
def loading(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """How far the loading of a model is."""
    return {"message": demo.models.status(_task(demo, body)).message}


@action("stop_loading", writes=True)
def stop_loading(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """Stop the download of a model."""
    demo.models.stop_fetching(_task(demo, body))
    return {}


@action("training")
def training(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """Where the latest run stands, with its curves."""
    return demo.jobs.status(text_of(body, "run"), _task(demo, body))


@action("runs")
def runs(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """The runs of a task, newest first."""
    return {"runs": demo.jobs.list(_task(demo, body))}


@action("resume_training", writes=True)
def resume_training(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """Go on with a run that was stopped or failed."""
    return {"run": demo.jobs.resume(text_of(body, "run"))}


@action("remove_run", writes=True)
def remove_run(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """Forget a run; its version stays."""
    return {"runs": demo.jobs.list(demo.jobs.remove(text_of(body, "run")))}


@action("version_tree")
def version_tree(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """The versions, every one after its parent."""
    return {"versions": demo.version_tree(_task(demo, body))}


@action("version_card")
def version_card(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """What a version is and what was measured of it."""
    return demo.version_card(text_of(body, "version"))


@action("compare_versions")
def compare_versions(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """Two or more versions on the same pairs; of two also the gain of each figure, and who moved."""
    chosen, split = body.get("versions"), text_of(body, "split", "held-out")
    if not isinstance(chosen, list) or not all(isinstance(v, str) for v in chosen):
        raise UserError("No versions are named.", "Send a list of their ids.")
    table = demo.compare_table(chosen, split)
    two = demo.compare_versions(chosen[0], chosen[1], split) if len(chosen) == 2 else None
    return table | {"two": two}


@action("remove_version", writes=True)
def remove_version(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """Delete a version's weights."""
    return demo.remove_version(text_of(body, "version"))


@action("publish_version", writes=True)
def publish_version(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """Push a version to the Hub."""
    return demo.publish_version(
        text_of(body, "version"),
        text_of(body, "repo"),
        text_of(body, "token"),
        bool(body.get("private", True)),
    )


@action("warm_up")
def warm_up(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """The tab was opened: the worker starts before it is needed."""
    if not demo.settings.passphrase:
        demo.jobs.warm_up()
    return {}


def _settings(body: dict[str, Any]) -> dict[str, Any]:
    """The settings of a run; an empty field is the default."""
    from mmdemo.training.config import settings_from_words

    return asdict(settings_from_words(body))


@action("start_training", writes=True)
def start_training(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """Queue a run; a person decides on its result."""
    method = text_of(body, "method", "head")
    return {"run": demo.start_training(_task(demo, body), method, _settings(body), "ask")}


@action("stop_training", writes=True)
def stop_training(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """Ask the run to stop."""
    return {"run": demo.jobs.stop(text_of(body, "run"))}


@action("decide", writes=True)
def decide(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """Promote what a run made, or keep the version before it."""
    task = demo.jobs.decide(text_of(body, "run"), bool(body.get("promote")), text_of(body, "annotator"))
    demo.data_changed(task)
    return {"version": demo.ws.versions.active(task)}


@action("roll_back", writes=True)
def roll_back(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """Activate the parent of the active version."""
    task = _task(demo, body)
    version = demo.jobs.roll_back(task, text_of(body, "annotator"))
    demo.data_changed(task)
    return {"version": version}


@action("activate", writes=True)
def activate(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """Activate any version."""
    return demo.activate(text_of(body, "version"), text_of(body, "annotator"))


@action("export_version", writes=True)
def export_version(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """A version as a zip of the folder that other programs load."""
    version = text_of(body, "version")
    name = re.sub(r"[^A-Za-z0-9._-]", "-", version) or "version"
    folder = Path(tempfile.mkdtemp(dir=exchange_folder()))
    demo.export_version(version, folder / "version")
    packed = shutil.make_archive(str(folder / name), "zip", folder / "version")
    shutil.rmtree(folder / "version")
    return {"address": offer(Path(packed))}
