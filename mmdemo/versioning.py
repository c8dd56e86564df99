"""What an open workspace can do with versions and runs: compare, activate, remove, export, publish; train."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdemo.errors import UserError
from mmdemo.models.manager import version_source
from mmdemo.models.protocols import CAPTIONING, TASKS, Task
from mmdemo.parts import Parts
from mmdemo.store.tables import Version

if TYPE_CHECKING:
    from mmdemo.evaluation.metrics import Retrieval
    from mmdemo.labeling.snapshot import Example

SPLITS = ("held-out", "train", "all")


class Versioning(Parts):
    """The part of `Demo` that knows versions and runs."""

    @staticmethod
    def check_task(task: str) -> Task:
        """The task, if there is one of that name.

        Raises:
            UserError: there is none; the sentence lists those there are.
        """
        if task not in TASKS:
            raise UserError(f"There is no task {task!r}.", f"Use one of: {', '.join(TASKS)}.")
        return task

    def version_task(self, task: str) -> Task:
        """A task, or captioning, which has versions too."""
        return CAPTIONING if task == CAPTIONING else self.check_task(task)

    def versions(self, task: str) -> dict[str, Any]:
        """The JSON of `models`."""
        self.version_task(task)
        active = self.ws.versions.active(task)
        rows = [
            {"id": v.id, "task": v.task, "parent": v.parent, "run": v.run_id, "active": v.id == active}
            for v in self.ws.versions.of_task(task)
        ]
        return {"versions": rows}

    def version_tree(self, task: str) -> list[dict[str, Any]]:
        """The versions with what the page shows of each, every one after its parent.

        Each row has depth, method, head, labels, the primary score of its run after and before, and the size
        of its own files in MB.
        """
        known = self.version_task(task)
        active, versions = self.ws.versions.active(known), self.ws.versions.of_task(known)
        parents = {v.parent for v in versions}

        def below(parent: str | None, depth: int) -> Iterator[dict[str, Any]]:
            for v in versions:
                if v.parent == parent:
                    leaf = v.id not in parents and v.id != active
                    yield self._version_row(v, depth) | {"active": v.id == active, "removable": leaf}
                    yield from below(v.id, depth + 1)

        return list(below(None, 0))

    def _version_row(self, version: Version, depth: int) -> dict[str, Any]:
        folder = self.ws.version_folder(version.id)
        card: dict[str, Any] = {}
        if (folder / "card.json").exists():
            card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
        captions = card.get("captions") or {}
        before = (card.get("before") or {}).get("mean_recall", (captions.get("before") or {}).get("BLEU-4"))
        after = (card.get("after") or {}).get("mean_recall", (captions.get("after") or {}).get("BLEU-4"))
        method, head = card.get("method", ""), (card.get("settings") or {}).get("head", "")
        return {
            "id": version.id,
            "depth": depth,
            "parent": version.parent,
            "run": version.run_id,
            "method": method,
            "head": head if method == "head" else "",
            "labels": len(card.get("labels", [])),
            "score": "BLEU-4" if captions else "mean recall",
            "before": before,
            "after": after,
            "own_mb": sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / 1e6,
            "created": version.created_at.isoformat(timespec="minutes"),
        }

    def version_card(self, version: str) -> dict[str, Any]:
        """What a version is: its base with licence and size, and of a tuned one what it was trained on, how,
        and what was measured.

        Raises:
            UserError: there is no such version.
        """
        from mmdemo.models.memory import weights_mb
        from mmdemo.models.presets import PROPOSED

        if version == PROPOSED:
            raise UserError("Captions are proposed without a network.", "Choose a captioner.")
        source = version_source(self.ws, version)
        preset = source.preset
        file = self.ws.version_folder(version) / "card.json"
        card = json.loads(file.read_text(encoding="utf-8")) if file.exists() else None
        own_mb = sum(f.stat().st_size for f in file.parent.rglob("*") if f.is_file()) / 1e6
        base = {
            "name": preset.name,
            "about": preset.about,
            "licence": preset.licence,
            "size_mb": weights_mb(preset),
        }
        labels = card.pop("labels", []) if card else []
        return {
            "id": version,
            "task": source.task,
            "base": base,
            "card": card,
            "labels": len(labels),
            "own_mb": own_mb,
        }

    def activate(self, version: str, annotator: str = "") -> dict[str, Any]:
        """Activate a version and bring the index over to it behind the page."""
        task = self.ws.versions.activate(version, annotator).task
        self.data_changed(task)
        return self.versions(task)

    def choose_model(self, task: str, name: str, annotator: str = "") -> dict[str, Any]:
        """Load a base model, by its preset's id or named by hand, and make it the active version.

        Raises:
            UserError: it is not for this task, or cannot be loaded: the version before stays active.
        """
        from mmdemo.models.presets import PROPOSED
        from mmdemo.models.registry import preset_for

        known = self.version_task(task)
        if known == CAPTIONING and name == PROPOSED:
            self.ws.versions.add_base(known, PROPOSED, PROPOSED)
            return self.activate(PROPOSED, annotator)
        preset = preset_for(known, name.strip())
        if known == CAPTIONING:
            self.models.load_captioner(preset)
        else:
            self.models.towers(preset, instead=True)
        self.ws.versions.add_base(known, preset.id, preset.name)
        return self.activate(preset.id, annotator)

    def compare_versions(self, first: str, second: str, split: str = "held-out") -> dict[str, Any]:
        """Two versions of a task on the same matches: both measured, the gains, and who moved.

        Args:
            first, second: their ids.
            split: held-out, train, or all.

        Raises:
            UserError: they are of different tasks, or there is nothing to measure on.
        """
        from mmdemo.evaluation.comparison import comparison

        examples, (before, after) = self._measured([first, second], split)
        found = comparison(before, after, examples)
        return {"first": first, "second": second, "split": split, "pairs": len(examples)} | found

    def compare_table(self, versions: Sequence[str], split: str = "held-out") -> dict[str, Any]:
        """Any number of versions of a task on the same matches: a row each, with its gain over the first.

        Raises:
            UserError: as of `compare_versions`.
        """
        from mmdemo.evaluation.comparison import paired_bootstrap

        if len(versions) < 2:
            raise UserError("One version is nothing to compare.", "Choose two or more.")
        examples, found = self._measured(versions, split)
        first = found[0].recall_by_query()
        rows = [
            {"version": version, "mean_recall": round(one.mean_recall, 1)}
            | one.as_json()
            | {"gain": paired_bootstrap(first, one.recall_by_query()).as_json()}
            for version, one in zip(versions, found, strict=True)
        ]
        return {"split": split, "pairs": len(examples), "rows": rows}

    def _measured(self, versions: Sequence[str], split: str) -> tuple[list[Example], list[Retrieval]]:
        from mmdemo.evaluation.evaluate import head_of, retrieval_with
        from mmdemo.labeling.snapshot import take_snapshot

        sources = [version_source(self.ws, version) for version in versions]
        task = sources[0].task
        if task == CAPTIONING:
            raise UserError("Captioners are compared by their runs.", "Look at a run's result.")
        for source in sources:
            if source.task != task:
                raise UserError(f"{source.id} is a version of {source.task}.", f"Choose one of {task}.")
        if split not in SPLITS:
            raise UserError(f"There is no split {split!r}.", f"Use one of: {', '.join(SPLITS)}.")
        snapshot = take_snapshot(self.ws, task)
        examples = [e for e in snapshot.examples if e.match and split in {e.split, "all"}]
        if len(examples) < 2:
            raise UserError(f"There are {len(examples)} matches to measure on.", "Label some more.")
        measured = [
            retrieval_with(
                self.ws,
                source.preset,
                lambda source=source: self.models.towers(source.preset),  # type: ignore[misc]
                head_of(self.ws, source.id),
                examples,
            )
            for source in sources
        ]
        return examples, measured

    def remove_version(self, version: str) -> dict[str, Any]:
        """Delete a version's weights and vectors; labels, runs and their curves stay.

        Raises:
            UserError: it is active, or other versions stand on it.
        """
        known = self.ws.versions.remove(version)
        self.models.forget()
        shutil.rmtree(self.ws.version_folder(version), ignore_errors=True)
        for folder in ("vectors", "cache/frames", "cache/states"):
            for path in (self.ws.folder / folder).glob(f"*{version}*"):
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        return self.versions(known.task)

    def export_version(self, version: str, out: Path) -> dict[str, Any]:
        """Write a version into a new folder, for other programs."""
        from mmdemo.training.version_export import export_version

        return {"version": version, "path": str(export_version(self.ws, version, out))}

    def publish_version(
        self, version: str, repo: str, token: str = "", private: bool = True
    ) -> dict[str, Any]:
        """Push a version with its model card to a repository of the Hub, made where there is none.

        Raises:
            UserError: nobody is signed in, the name cannot be used, or the Hub cannot be reached.
        """
        from mmdemo.training.version_export import publish_version

        return {"version": version, "address": publish_version(self.ws, version, repo, token, private)}

    def data_changed(self, task: str) -> None:
        """The active version is another, or there are new items: index and queue follow behind the page."""
        known = self.version_task(task)
        if known != CAPTIONING and self.models.status(known).state == "ready":
            self.keeper_of(known).request()
            self.queue_of(known).request()

    def estimate_training(self, task: str, method: str, settings: dict[str, Any]) -> dict[str, Any]:
        """How long a run would take here and what memory; empty while the model is not loaded."""
        from mmdemo.training.config import settings_from_json
        from mmdemo.training.estimate import estimate, estimate_captioning

        known, chosen = self.version_task(task), settings_from_json(settings)
        chosen.check()
        nothing: dict[str, Any] = {"seconds": None, "sentence": ""}
        if known == CAPTIONING:
            writer = self.models.loaded_captioner()
            return estimate_captioning(self.ws, writer, method, chosen) if writer else nothing
        if self.models.status(known).state != "ready":
            return nothing
        return estimate(self.ws, known, method, chosen, lambda: self.models.aligner(known))

    def start_training(self, task: str, method: str, settings: dict[str, Any], promote: str) -> str:
        """Queue a run, which begins behind the page when those before it are done; returns its id.

        Raises:
            UserError: the labels lack something, or a setting cannot work.
        """
        return self.jobs.start(self.version_task(task), method, settings, promote)
