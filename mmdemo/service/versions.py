"""What can be done with versions: list, activate, choose a base, compare, remove, export, publish."""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdemo.errors import DataError, StorageError, UserError, one_line
from mmdemo.media.listing import entries
from mmdemo.modality import CAPTIONING, labelled_task
from mmdemo.models.version_source import version_source
from mmdemo.service.context import Context, version_task
from mmdemo.store.cards import read_card, reading
from mmdemo.store.tables import Version

if TYPE_CHECKING:
    from mmdemo.evaluation.metrics import Retrieval
    from mmdemo.labeling.snapshot import Example


class Versions:
    """The versions of an open workspace."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._ws = context.ws

    def listed(self, task: str) -> dict[str, Any]:
        """The JSON of `models`."""
        version_task(task)
        active = self._ws.versions.active(task)
        candidates = self._ws.versions.candidates(task)
        rows = [
            {"id": v.id, "task": v.task, "parent": v.parent, "run": v.run_id, "active": v.id == active}
            | {"candidate": v.id in candidates}
            for v in self._ws.versions.of_task(task)
        ]
        return {"versions": rows}

    def tree(self, task: str) -> list[dict[str, Any]]:
        """The versions with what the page shows of each, every one after its parent.

        Each row has depth, method, head, how many labels it learned from, the primary score of its run after
        and before, the size of its own files in MB, and why the gate cannot be asked about it now, or "".
        """
        from mmdemo.labeling.snapshot import take_snapshot
        from mmdemo.training.promotion import asked_before, held_out_items

        known = version_task(task)
        active, versions = self._ws.versions.active(known), self._ws.versions.of_task(known)
        parents, candidates = {v.parent for v in versions}, self._ws.versions.candidates(known)
        items = held_out_items(take_snapshot(self._ws, labelled_task(known))) if candidates else 0

        def below(parent: str | None, depth: int) -> Iterator[dict[str, Any]]:
            for v in versions:
                if v.parent == parent:
                    leaf = v.id not in parents and v.id != active
                    more = {"active": v.id == active, "removable": leaf, "candidate": v.id in candidates}
                    asked = asked_before(self._ws, v.id, items) if v.id in candidates else ""
                    yield self._row(v, depth) | more | {"asked": asked}
                    yield from below(v.id, depth + 1)

        return list(below(None, 0))

    def _row(self, version: Version, depth: int) -> dict[str, Any]:
        folder = self._ws.version_folder(version.id)
        try:
            with reading(folder):
                said = _said(read_card(folder))
        except StorageError as e:  # it has the others' place in the list, from where it can be removed
            said = _said({}) | {"damaged": one_line(str(e))}
        return {
            "id": version.id,
            "depth": depth,
            "parent": version.parent,
            "run": version.run_id,
            "own_mb": sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / 1e6,
            "created": version.created_at.isoformat(timespec="minutes"),
        } | said

    def card(self, version: str) -> dict[str, Any]:
        """What a version is: its base with licence and size, of a tuned one what it was trained on, how, and
        what was measured, and how far its probabilities are what they say.

        Raises:
            UserError: there is no such version.
        """
        from mmdemo.models.memory import weights_mb
        from mmdemo.models.presets import PROPOSED
        from mmdemo.service.sources.probabilities import reliability_of

        if version == PROPOSED:
            raise UserError("Captions are proposed without a network.", "Choose a captioner.")
        source = version_source(self._ws, version)
        preset = source.preset
        folder = self._ws.version_folder(version)
        card = read_card(folder) or None
        own_mb = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / 1e6
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
            "snapshot": len(labels),  # on all sides
            "own_mb": own_mb,
            "reliability": reliability_of(self._ws, version).as_json(),
        }

    def activate(self, version: str, annotator: str = "") -> dict[str, Any]:
        """Activate a version; the next search answers by it, unless its vectors take long to make."""
        from mmdemo.training.activation import activate

        task = activate(self._ws, version, annotator).task
        self._context.version_changed(task)
        return self.listed(task)

    def retest(self, version: str, annotator: str = "") -> dict[str, Any]:
        """Ask the gate about a candidate once more: an attempt on the held-out labels of now.

        Raises:
            UserError: it is no candidate, or the held-out set has not grown since.
        """
        from mmdemo.training.promotion import retest

        def towers(one: str) -> Any:
            return self._context.models.towers(version_source(self._ws, one).preset)

        verdict = retest(self._ws, version, towers, annotator)
        task = self._ws.versions.get(version).task
        if verdict.certain:
            self._context.version_changed(task)
        return {"version": version, "promoted": verdict.certain, "gate": verdict.as_json()}

    def choose_model(self, task: str, name: str, annotator: str = "") -> dict[str, Any]:
        """Load a base model, by its preset's id or named by hand, and make it the active version.

        Raises:
            UserError: it is not for this task, or cannot be loaded: the version before stays active.
        """
        from mmdemo.models.find_model import preset_for
        from mmdemo.models.presets import PROPOSED

        known = version_task(task)
        if known == CAPTIONING and name == PROPOSED:
            self._ws.versions.add_base(known, PROPOSED, PROPOSED)
            return self.activate(PROPOSED, annotator)
        preset = preset_for(known, name.strip())
        if known == CAPTIONING:
            self._context.models.load_captioner(preset)
        else:
            self._context.models.towers(preset, instead=True)
        self._ws.versions.add_base(known, preset.id, preset.name)
        return self.activate(preset.id, annotator)

    def compare(self, versions: Sequence[str], split: str = "held-out", task: str = "") -> dict[str, Any]:
        """Any number of versions of a task on the same matches: a row each, with its gain over the first; of
        two also the gain of each figure, and who moved.

        Args:
            versions: their ids.
            split: held-out, validation, train, or all.
            task: of the versions; empty: that of the first.

        Raises:
            UserError: one is named twice, they are of different tasks, or there is nothing to measure on.
        """
        from mmdemo.evaluation.comparison import comparison, paired_bootstrap

        if len(versions) < 2:
            raise UserError("One version is nothing to compare.", "Choose two or more.")
        twice = next((v for v in versions if versions.count(v) > 1), None)
        if twice is not None:
            raise UserError(f"{twice[:60]} is named twice.", "Name each version once.")
        examples, lost, found = self._measured(versions, split, task)
        if found[0].note:
            raise DataError(found[0].note, "Label matches of several items, with different texts.")
        first = found[0].recall_by_query()
        rows = [
            {"version": version, "mean_recall": one.told_recall}
            | one.as_json()
            | {"gain": paired_bootstrap(first, one.recall_by_query()).as_json()}
            for version, one in zip(versions, found, strict=True)
        ]
        two = comparison(found[0], found[1], examples) if len(versions) == 2 else None
        return {"split": split, "pairs": len(examples), "left_out": lost, "rows": rows, "two": two}

    def _measured(
        self, versions: Sequence[str], split: str, task: str
    ) -> tuple[list[Example], int, list[Retrieval]]:
        """The matches, how many more have lost their files, and what each version reaches."""
        from mmdemo.evaluation.evaluate import fit_of, head_of, retrieval_with
        from mmdemo.labeling.snapshot import Snapshot, take_snapshot, with_files

        sources = [version_source(self._ws, version) for version in versions]
        task = task or sources[0].task
        if task == CAPTIONING:
            raise UserError("Captioners are compared by their runs.", "Look at a run's result.")
        for source in sources:
            if source.task != task:
                raise UserError(f"{source.id} is a version of {source.task}.", f"Choose one of {task}.")
        wanted = take_snapshot(self._ws, task).of(split, match=True)
        known = with_files(self._ws, Snapshot(task, tuple(wanted)))
        examples = list(known.examples)
        if len(examples) < 2:
            raise UserError(f"There are {len(examples)} matches to measure on.", "Label some more.")
        measured = [
            retrieval_with(
                self._ws,
                source.preset,
                lambda source=source: self._context.models.towers(source.preset),  # type: ignore[misc]
                head_of(self._ws, source.id),
                examples,
                fit_of(self._ws, source.id),
            )
            for source in sources
        ]
        return examples, known.lost, measured

    def remove(self, version: str) -> dict[str, Any]:
        """Delete a version's weights and vectors; labels, runs and their curves stay.

        Raises:
            UserError: it is active, or other versions stand on it.
        """
        folder = self._ws.version_folder(version)
        known = self._ws.versions.remove(version)
        self._context.models.forget()
        shutil.rmtree(folder, ignore_errors=True)
        of_it = re.compile(rf"(?:^|-){re.escape(version)}(?:[-.]|$)")
        for made in ("vectors", "cache/frames", "cache/states"):
            for path in filter(lambda one: of_it.search(one.name), entries(self._ws.folder / made)):
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        return self.listed(known.task)

    def export(self, version: str, out: Path) -> dict[str, Any]:
        """Write a version into a new folder, for other programs."""
        from mmdemo.training.version_export import export_version

        return {"version": version, "path": str(export_version(self._ws, version, out))}

    def publish(self, version: str, repo: str, token: str = "", private: bool = True) -> dict[str, Any]:
        """Push a version with its model card to a repository of the Hub, made where there is none.

        Raises:
            UserError: nobody is signed in, the name cannot be used, or the Hub cannot be reached.
        """
        from mmdemo.training.version_export import publish_version

        return {"version": version, "address": publish_version(self._ws, version, repo, token, private)}


def _said(card: dict[str, Any]) -> dict[str, Any]:
    """What a version's card says of it in a list."""
    captions, gate = card.get("captions") or {}, card.get("gate") or {}
    method, head = str(card.get("method", "")), (card.get("settings") or {}).get("head", "")
    need = gate.get("need")

    def measured(when: str) -> float | None:
        score = (card.get(when) or {}).get("mean_recall", (captions.get(when) or {}).get("BLEU-4"))
        return None if score is None else _finite(float(score))

    return {
        "method": method,
        "head": str(head) if method == "head" else "",
        "learned_from": _learned_from(card),
        "certain": bool(gate.get("certain")),
        "need": None if need is None else int(need),
        "overruled": "overruled" in card,
        "score": "BLEU-4" if captions else "mean recall",
        "before": measured("before"),
        "after": measured("after"),
    }


def _finite(number: float) -> float:
    """The number.

    Raises:
        ValueError: it is none, or infinite.
    """
    if not math.isfinite(number):
        raise ValueError(f"{number} is no score")
    return number


def _learned_from(card: dict[str, Any]) -> int:
    """How many labels a version was trained on: those of the other sides only chose epochs or measured it."""
    on = card.get("trained_on") or {}
    return int(on.get("match", 0) + on.get("mismatch", 0))
