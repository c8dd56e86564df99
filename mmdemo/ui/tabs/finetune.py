"""The Fine-tune tab: what it will train on, the run, before and after, promote or not."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from mmdemo.demo import Demo
from mmdemo.errors import UserError
from mmdemo.models.manager import version_source
from mmdemo.models.presets import LOADERS_BY_HAND
from mmdemo.store.pairs import HELD_OUT, TRAIN
from mmdemo.ui.routes import action
from mmdemo.ui.tabs.common import number_of, task_in, text_of
from mmdemo.ui.uploads import exchange_folder, offer
from mmdemo.ui.widgets import widget


def build() -> None:
    """Lay the tab out."""
    widget("finetune")


@action("training_data")
def training_data(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """The labels by side and verdict, what they lack, and the versions."""
    from mmdemo.training.dataset import check_snapshot, take_snapshot

    task = task_in(demo, body)
    snapshot = take_snapshot(demo.ws, task)
    report = check_snapshot(demo.ws, snapshot)
    counts = demo.label_counts(task)
    preset = version_source(demo.ws, demo.ws.versions.active(task)).preset

    def side(split: str) -> dict[str, int]:
        return {"match": len(snapshot.of(split, True)), "mismatch": len(snapshot.of(split, False))}

    return {
        "counts": counts,
        "train": side(TRAIN),
        "held_out": side(HELD_OUT),
        "aside": counts["match"] + counts["mismatch"] - len(snapshot.examples),
        "missing": list(report.missing),
        "warnings": list(report.warnings),
        "versions": demo.versions(task)["versions"],
        "methods": list(preset.methods),
        "heads": list(preset.heads),
    }


@action("models")
def models(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """The models that a task can start from, what they need, and what computes here."""
    from mmdemo.models.at_hand import device_facts, is_at_hand, weights_mb
    from mmdemo.models.catalogue import PRESETS

    task = task_in(demo, body)
    rows = [
        {
            "id": p.id,
            "about": p.about,
            "licence": p.licence,
            "size_mb": weights_mb(p),
            "at_hand": is_at_hand(p),
            "methods": list(p.methods),
        }
        for p in PRESETS.values()
        if p.task == task
    ]
    by_hand = [loader for loader, of in LOADERS_BY_HAND.items() if of == task]
    return {"models": rows, "by_hand": by_hand, "device": device_facts(demo.settings)}


@action("choose_model", writes=True)
def choose_model(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """Load a model and make it the active version; the answer comes when it is loaded."""
    name = text_of(body, "model").strip()
    if not name:
        raise UserError("There is no model named.", "Choose one, or write LOADER:NAME.")
    return demo.choose_model(task_in(demo, body), name, text_of(body, "annotator"))


@action("training")
def training(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """Where the latest run stands, with its curves."""
    return demo.jobs.status(text_of(body, "run"), task_in(demo, body))


@action("runs")
def runs(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """The runs of a task, newest first."""
    return {"runs": demo.jobs.list(task_in(demo, body))}


@action("resume_training", writes=True)
def resume_training(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """Go on with a run that was stopped or failed."""
    return {"run": demo.jobs.resume(text_of(body, "run"))}


@action("remove_run", writes=True)
def remove_run(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """Forget a run; its version stays."""
    return {"runs": demo.jobs.list(demo.jobs.remove(text_of(body, "run")))}


@action("version_card")
def version_card(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """What a version is and what was measured of it."""
    return demo.version_card(text_of(body, "version"))


@action("compare_versions")
def compare_versions(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """Two versions on the same pairs."""
    first, second = text_of(body, "first"), text_of(body, "second")
    return demo.compare_versions(first, second, text_of(body, "split", "held-out"))


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


@action("start_training", writes=True)
def start_training(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """Queue a run; a person decides on its result."""
    settings: dict[str, Any] = {"loss": text_of(body, "loss", "infonce"), "head": text_of(body, "head")}
    settings["alone"] = bool(body.get("alone"))
    for name in ("epochs", "batch", "seed", "part", "patience"):
        if body.get(name) not in (None, ""):
            settings[name] = int(number_of(body, name, 0))
    for name in ("learning_rate", "dropout", "ema"):
        if body.get(name) not in (None, ""):
            settings[name] = number_of(body, name, 0)
    return {"run": demo.start_training(task_in(demo, body), text_of(body, "method", "head"), settings, "ask")}


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
    task = task_in(demo, body)
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
