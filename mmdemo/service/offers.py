"""The better model, one click away: which one fits this machine, what it reaches on the labels of this
collection, and taking it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mmdemo.asker import asking, current
from mmdemo.errors import DataError, MmdemoError, UserError
from mmdemo.modality import TASKS
from mmdemo.models.automatic import better_than
from mmdemo.models.find_model import preset_for
from mmdemo.models.presets import PRESETS, Preset
from mmdemo.models.protocols import Task
from mmdemo.models.version_source import version_source
from mmdemo.service.closing import left_s
from mmdemo.service.context import Context, check_task
from mmdemo.service.versions import Versions
from mmdemo.store.splits import HELD_OUT, VALIDATION

log = logging.getLogger(__name__)
LEAST_PAIRS = 2  # what two versions can be compared on
RUNNING, DONE, FAILED, STOPPED = "running", "done", "failed", "stopped"


@dataclass
class _Trial:
    """Trying a model beside the active version."""

    model: str
    against: str
    status: str = RUNNING
    message: str = ""
    compared: dict[str, Any] | None = None  # of both on the validation pairs; None: there are too few
    refused: str = ""  # why the gate did not let it through; empty: it was not asked
    stop: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)

    def as_json(self) -> dict[str, Any]:
        """For a page."""
        facts = {"model": self.model, "against": self.against, "status": self.status}
        return facts | {"message": self.message, "compared": self.compared, "refused": self.refused}


class Offers:
    """The models that could be better than the one in use.

    Args:
        context: the open workspace.
        versions: its versions, which are compared and activated there.
    """

    def __init__(self, context: Context, versions: Versions) -> None:
        self._context = context
        self._ws = context.ws
        self._versions = versions
        self._trials: dict[str, _Trial] = {}  # by task: the latest
        self._lock = threading.Lock()

    def offer(self, task: str, ask_hub: bool = True) -> dict[str, Any]:
        """The model with the highest published figure above that of the one in use, which fits in the memory
        that is free and is here or can be fetched; without one, why, where there is something to say.

        Args:
            task: what it is for.
            ask_hub: whether the Hub is asked if it can be reached; else that is left open.
        """
        from mmdemo.labeling.snapshot import take_snapshot

        trial = self._trials.get(task)
        nothing: dict[str, Any] = {"model": None, "sentence": "", "trial": trial.as_json() if trial else None}
        if task not in TASKS:  # captioners have no figure in common
            return nothing
        active = self._ws.versions.active(task)
        base = self._ws.versions.get(active).base
        if base not in PRESETS:  # named by hand: nobody can say how it compares
            return nothing
        found, sentence = self._best(task, PRESETS[base], trial.model if trial else "", ask_hub)
        if found is None:
            return nothing | {"sentence": sentence}
        snapshot = take_snapshot(self._ws, task)
        pairs = {
            "against": active,
            "pairs": len(snapshot.of(VALIDATION, match=True)),
            "held_out": len(snapshot.of(HELD_OUT, match=True)),
        }
        return nothing | {"model": self._facts(found) | pairs}

    def _best(self, task: Task, base: Preset, tried: str, ask_hub: bool) -> tuple[Preset | None, str]:
        from mmdemo.models.hub.local_cache import damage, is_local
        from mmdemo.models.hub.reach import why_closed
        from mmdemo.models.memory import free_memory_mb, memory_mb

        free = free_memory_mb(self._context.settings)
        fitting = [p for p in better_than(task, base.published) if p.id == tried or memory_mb(p) <= free]
        if not fitting:
            return None, ""
        here = [p for p in fitting if is_local(p) and not damage(p)]
        if here[:1] == fitting[:1]:
            return here[0], ""
        closed = why_closed(ask_hub)
        if not closed:
            return fitting[0], ""
        if here:
            return here[0], ""
        name = fitting[0].id
        return None, f"{name} may be a better model. It is not on this machine, and {closed}."

    @staticmethod
    def _facts(preset: Preset) -> dict[str, Any]:
        from mmdemo.models.hub.local_cache import is_local
        from mmdemo.models.memory import memory_mb, weights_mb

        return {
            "id": preset.id,
            "architecture": preset.architecture,
            "about": preset.about,
            "licence": preset.licence,
            "size_mb": weights_mb(preset),
            "memory_mb": memory_mb(preset),
            "at_hand": is_local(preset),
            "published": f"{preset.published:.1f} % {preset.published_as}",
        }

    def try_out(self, task: str, model: str) -> dict[str, Any]:
        """Fetch a model behind the page, and measure it beside the active version.

        Raises:
            UserError: it is not for this task, or one is being tried already.
        """
        known = check_task(task)
        preset = preset_for(known, model)
        with self._lock:
            last = self._trials.get(known)
            if last is not None and last.status == RUNNING:
                raise UserError(f"{last.model} is being tried already.", "Wait, or stop it first.")
            trial = _Trial(preset.id, self._ws.versions.active(known))
            self._trials[known] = trial
        asker = current()  # a thread of its own asks the Hub as whoever began it

        def work() -> None:
            with asking(asker):
                self._try(known, preset, trial)

        threading.Thread(target=self._guarded, args=(trial, work), name="mmdemo-try", daemon=True).start()
        return trial.as_json()

    def trial(self, task: str) -> dict[str, Any]:
        """Where trying a model stands; empty: none was tried."""
        trial = self._trials.get(task)
        if trial is None:
            return {}
        found = trial.as_json()
        if trial.status == RUNNING and not trial.message and task in TASKS:
            found["message"] = self._context.models.status(task).message  # how far the download is
        return found

    def stop(self, task: str) -> None:
        """Stop trying a model; what was fetched and embedded stays."""
        trial = self._trials.get(task)
        if trial is not None:
            trial.stop.set()

    def close(self, until_s: float) -> None:
        """Stop whatever is tried, and wait for the batch that it is at; no longer than until then, in
        monotonic seconds.
        """
        trials = list(self._trials.values())
        for trial in trials:
            trial.stop.set()
        for trial in trials:
            trial.ended.wait(left_s(until_s))

    @staticmethod
    def _guarded(trial: _Trial, work: Callable[[], None]) -> None:
        try:
            work()
        except MmdemoError as e:
            trial.message = str(e)
            trial.status = STOPPED if trial.stop.is_set() else FAILED
        except Exception:
            log.exception("trying %s failed", trial.model)
            trial.message = "Something went wrong in mmdemo; its log says what."
            trial.status = FAILED
        finally:
            trial.ended.set()

    def _try(self, task: Task, preset: Preset, trial: _Trial) -> None:
        from mmdemo.labeling.snapshot import take_snapshot
        from mmdemo.retrieval.embed import embed_items
        from mmdemo.retrieval.hubness import bank_of

        towers = self._context.models.towers(preset, instead=True)
        self._ws.versions.add_base(task, preset.id, preset.name)
        snapshot = take_snapshot(self._ws, task)
        matches = [e for side in (VALIDATION, HELD_OUT) for e in snapshot.of(side, match=True)]
        wanted = {e.item for e in matches} | set(bank_of(self._ws, task).items)  # what measuring looks at
        items = list(self._ws.items.of(sorted(wanted)).values())

        def told(done: int, total: int) -> None:
            trial.message = f"Embedding {done} of {total} items"

        embed_items(self._ws, towers, items, told, trial.stop.is_set)
        if trial.stop.is_set():
            raise UserError("It was stopped.", "What was fetched and embedded stays.")
        pairs = len(snapshot.of(VALIDATION, match=True))
        if pairs < LEAST_PAIRS:
            trial.message = f"It works here. {pairs} validation pairs are too few to measure on."
            held_out = len(matches) - pairs
            if held_out:
                trial.message += f" If you use it, it is tested on the {held_out} held-out ones first."
            else:
                trial.message += " Label some, and try again."
        else:
            trial.message = f"Measuring on {pairs} validation pairs"
            try:
                trial.compared = self._versions.compare([trial.against, preset.id], VALIDATION, task)
                trial.message = _said(trial.compared)
            except DataError as e:
                trial.message = f"It works here. {e}"
        trial.status = DONE

    def take(self, task: str, model: str, annotator: str = "", anyway: bool = False) -> dict[str, Any]:
        """Make a model that was tried the active version, where the gate finds it certainly better on the
        held-out pairs, or the person wants it anyway.

        Raises:
            UserError: it is not for this task, or was not tried.
        """
        known = check_task(task)
        preset = preset_for(known, model)
        trial = self._trials.get(known)
        if trial is None or trial.model != preset.id or trial.status != DONE:
            raise UserError(f"{preset.id} was not tried yet.", "Try it first, or choose it from the list.")
        if anyway:
            self._versions.choose_model(known, model, annotator)
            sentence, taken = "", True
        else:
            sentence, taken = self._weighed(preset, annotator)
            trial.refused = "" if taken else sentence
        if taken:
            with self._lock:
                if self._trials.get(known) is trial:  # another may be tried by now
                    del self._trials[known]
            self._context.data_changed(known)
        return {"version": preset.id, "taken": taken, "sentence": sentence}

    def _weighed(self, preset: Preset, annotator: str) -> tuple[str, bool]:
        from mmdemo.training.promotion import weigh_base

        def towers(version: str) -> Any:
            return self._context.models.towers(version_source(self._ws, version).preset)

        verdict = weigh_base(self._ws, preset.id, towers, annotator)
        return verdict.sentence, verdict.certain


def _said(compared: dict[str, Any]) -> str:
    """What a comparison of two versions says of the second."""
    gain = compared["rows"][1]["gain"]
    word = "Better" if gain["low"] > 0 else "Worse" if gain["high"] < 0 else "Not certain"
    return (
        f"{word}: {gain['gain']:+.1f} points of mean recall (95 % {gain['low']:+.1f} to {gain['high']:+.1f}) "
        f"on {compared['pairs']} validation pairs."
    )
