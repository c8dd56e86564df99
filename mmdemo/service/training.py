"""What can be done with runs: estimate one, start it, carry it out, decide on what it made, roll back."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from mmdemo.errors import UserError
from mmdemo.modality import CAPTIONING, labelled_task
from mmdemo.service.context import Context, version_task

if TYPE_CHECKING:
    from mmdemo.training.config import EpochRecord

log = logging.getLogger(__name__)


class Training:
    """The runs of an open workspace."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._ws = context.ws

    def estimate(self, task: str, method: str, settings: dict[str, Any]) -> dict[str, Any]:
        """How long a run would take here and what memory; empty while the model is not loaded.

        Raises:
            UserError: a method or setting that cannot work.
        """
        from mmdemo.models.presets import PROPOSED
        from mmdemo.models.version_source import version_source
        from mmdemo.training.config import settings_for, settings_from_json
        from mmdemo.training.estimate import estimate, estimate_captioning

        known, chosen = version_task(task), settings_from_json(settings)
        nothing: dict[str, Any] = {"seconds": None, "sentence": ""}
        active = self._ws.versions.active(known)
        if active == PROPOSED:
            return nothing
        chosen = settings_for(version_source(self._ws, active).preset, method, chosen)
        if known == CAPTIONING:
            writer = self._context.models.loaded_captioner()
            return estimate_captioning(self._ws, writer, method, chosen) if writer else nothing
        if self._context.models.status(known).state != "ready":
            return nothing
        return estimate(self._ws, known, method, chosen, lambda: self._context.models.aligner(known))

    def start(self, task: str, method: str, settings: dict[str, Any], promote: str) -> str:
        """Queue a run, which begins behind the page when those before it are done; returns its id.

        Raises:
            UserError: the labels lack something, or a setting cannot work.
        """
        return self._context.jobs.start(version_task(task), method, settings, promote)

    def train(
        self, task: str, method: str, settings: dict[str, Any], promote: str = "when-better"
    ) -> dict[str, Any] | None:
        """The JSON of `train`: fine-tune in this process; of several processes the first answers.

        Raises:
            UserError: the labels lack something, a setting cannot work, or the run failed.
        """
        from mmdemo.models.presets import PROPOSED
        from mmdemo.models.version_source import version_source
        from mmdemo.training.config import settings_from_json
        from mmdemo.training.launch import meet
        from mmdemo.training.runs import create_run, take_part
        from mmdemo.training.worker import Worker

        known, chosen = version_task(task), settings_from_json(settings)
        active = self._ws.versions.active(known)
        method = method or (
            "lora" if active == PROPOSED else version_source(self._ws, active).preset.methods[0]
        )

        worker = Worker(self._ws, self._context.models)

        def create() -> str:
            return create_run(self._ws, known, method, chosen, promote, holder=worker.name)

        if self._ws.settings.one_of_several:
            run_id, first = meet(self._ws.settings, method, create)
            if not first:
                take_part(self._ws, run_id, self._context.models)
                return None
        else:
            run_id = create()
        run = worker.see_to(run_id, _told)
        if run.status == "failed":
            raise UserError(run.message)
        result = run.result or {}
        captions = {"captions": result.get("captions")} if known == CAPTIONING else {}
        return {
            "run": run.id,
            "model": run.version_id,
            "status": run.status,
            "seconds": round(result.get("seconds", 0.0), 2),
            "before": result.get("before"),
            "after": result.get("after"),
            "gains": result.get("gains"),
            **captions,
            "promoted": run.decision == "promoted",
            "gate": result.get("gate"),
        }

    def decide(self, run: str, promote: bool, annotator: str = "") -> str:
        """Promote what a run made, or keep the version before it; returns the version that answers."""
        task = self._context.jobs.decide(run, promote, annotator)
        self._context.version_changed(task)
        return self._ws.versions.active(task)

    def roll_back(self, task: str, annotator: str = "") -> str:
        """Activate the parent of the active version; returns its id."""
        version = self._context.jobs.roll_back(task, annotator)
        self._context.version_changed(task)
        return version

    def data(self, task: str) -> dict[str, Any]:
        """The labels by side and verdict, what they lack, and how the active model can learn from them."""
        from mmdemo.labeling.side_counts import count_of_samples, count_sides
        from mmdemo.labeling.snapshot import check_snapshot, take_snapshot
        from mmdemo.models.heads.residual import HEADS
        from mmdemo.models.presets import PROPOSED
        from mmdemo.models.version_source import version_source
        from mmdemo.training.losses import LOSSES
        from mmdemo.training.promotion import outlook

        known = version_task(task)
        labelled = labelled_task(known)
        report = check_snapshot(self._ws, take_snapshot(self._ws, labelled))
        snapshot = report.snapshot
        sides = count_sides(snapshot)
        counts = self._ws.labels.counts(labelled)
        active = self._ws.versions.active(known)
        preset = None if active == PROPOSED else version_source(self._ws, active).preset

        return {
            "counts": counts.of_kind,
            **sides.as_json,
            "goal": sides.goal,
            "samples": count_of_samples(self._ws, snapshot),
            "aside": counts.usable - len(snapshot.examples) - snapshot.lost,
            "missing": list(report.missing),
            "warnings": list(report.warnings),
            "active": active,
            "parent": self._ws.versions.previous(known),
            "methods": list(preset.methods) if preset else [],
            "heads": [
                {"name": name, "about": HEADS[name].about, "fuses": HEADS[name].fuses}
                for name in (preset.heads if preset else ())
            ],
            "recipe": preset.recipe if preset else "",
            "losses": list(LOSSES),
            "gate": outlook(self._ws, known, snapshot),
        }


def _told(record: EpochRecord) -> None:
    if record.loss is None:
        return
    found = record.validation_recall
    recall = "" if found is None else f", validation recall {found:.1f} %"
    log.info("epoch %d/%d: loss %.3f%s", record.epoch, record.epochs, record.loss, recall)
