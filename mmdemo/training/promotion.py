"""The gate in front of every version that a run made, and again when there are more held-out labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mmdemo.errors import UserError
from mmdemo.evaluation.evidence import LOG_RANKS
from mmdemo.evaluation.gate import LEAST_ITEMS, UNMEASURED, Question, Verdict, ask, smallest_visible
from mmdemo.labeling.snapshot import Snapshot, take_snapshot
from mmdemo.modality import CAPTIONING, labelled_task
from mmdemo.models.aligner import Towers
from mmdemo.store.cards import note_on_card, read_card
from mmdemo.store.pairs import HELD_OUT
from mmdemo.store.tables import Run
from mmdemo.store.versions import BY_GATE
from mmdemo.store.workspace import Workspace
from mmdemo.training.outcome import version_of
from mmdemo.training.recipes.base import Compared, Conclusion, recipe_for

STOPPED = Verdict(False, "stopped", "It was stopped, so no attempt was spent.")


def judge(ws: Workspace, run: Run, snapshot: Snapshot, found: Conclusion, *, stopped: bool) -> Verdict:
    """Ask the gate about the version that a run made; spends an attempt only where one can succeed."""
    if stopped:
        return STOPPED
    if found.evidence is None or not found.evidence.items:
        return UNMEASURED
    question = Question(
        run.task, version_of(run), run.parent, found.evidence, held_out_labels(snapshot), found.validation
    )
    return ask(ws.attempts, question, promotion=run.settings.get("promote") != "never")


def held_out_labels(snapshot: Snapshot) -> tuple[int, ...]:
    """The labels that decide."""
    return tuple(e.label for e in snapshot.of(HELD_OUT, match=True))


def retest(ws: Workspace, version_id: str, towers: Callable[[str], Towers], annotator: str = "") -> Verdict:
    """Ask the gate about a candidate again, or for the first time: an attempt. It is compared with the active
    version, and promoted where it is certainly better.

    Args:
        ws: the workspace.
        version_id: the candidate.
        towers: gives the towers of a version, where they are needed.
        annotator: who asks.

    Raises:
        UserError: it is no candidate, or there are no new held-out labels since it was asked about.
    """
    version = ws.versions.get(version_id)
    if version_id not in ws.versions.candidates(version.task):
        raise UserError(f"{version_id} is no candidate.", "Choose a tuned version that was never active.")
    snapshot = take_snapshot(ws, labelled_task(version.task))
    examples = snapshot.of(HELD_OUT, match=True)
    items = len({e.item for e in examples})
    asked = [a for a in ws.attempts.of_version(version_id) if a.number is not None]
    if asked and items <= asked[-1].items:
        raise UserError(
            f"{version_id} was asked about on {asked[-1].items} held-out items, and there are no more now.",
            "Label some pairs of the held-out side first.",
        )
    active = ws.versions.active(version.task)
    method = str(read_card(ws.version_folder(version_id)).get("method", "head"))
    recipe = recipe_for(ws, version.parent or active, method)
    found = recipe.compare(Compared(ws, active, version_id, examples, towers)) if examples else None
    if found is None:
        return UNMEASURED
    question = Question(
        version.task, version_id, active, found, held_out_labels(snapshot), annotator=annotator
    )
    verdict = ask(ws.attempts, question)
    note_on_card(ws.version_folder(version_id), gate=verdict.as_json())
    if verdict.certain:
        ws.versions.activate(version_id, BY_GATE)
    return verdict


def outlook(ws: Workspace, task: str, snapshot: Snapshot) -> dict[str, Any]:
    """Before a run: which attempt it would be, and the smallest gain that could be seen."""
    items = len({e.item for e in snapshot.of(HELD_OUT, match=True)})
    at = ws.attempts.upcoming(task, items, LOG_RANKS.name)
    ranks = task != CAPTIONING
    seen = smallest_visible(items, at.number, at.spread) if ranks else None
    if items < LEAST_ITEMS:
        sentence = (
            f"{items} of at least {LEAST_ITEMS} held-out items are labelled: until then what is learned "
            "stays a candidate."
        )
    else:
        sentence = f"Attempt {at.number} on these {items} held-out items."
        if seen is not None and seen.points is not None:
            sentence += f" A gain of {seen.points:.1f} points of mean recall or more would probably be seen."
    return {
        "items": items,
        "attempt": at.number,
        "visible": seen.as_json() if seen is not None else None,
        "sentence": sentence,
    }
