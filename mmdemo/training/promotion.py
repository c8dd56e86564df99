"""The gate in front of every version that a run made, and again when there are more held-out labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mmdemo.errors import UserError
from mmdemo.evaluation.evidence import LOG_RANKS, Evidence
from mmdemo.evaluation.gate import LEAST_ITEMS, UNMEASURED, Question, Verdict, ask, smallest_visible
from mmdemo.labeling.snapshot import Snapshot, take_snapshot, with_files
from mmdemo.modality import CAPTIONING, labelled_task
from mmdemo.models.aligner import Towers
from mmdemo.store.cards import note_on_card, read_card
from mmdemo.store.splits import HELD_OUT
from mmdemo.store.tables import Run
from mmdemo.store.versions import BY_GATE
from mmdemo.store.workspace import Workspace
from mmdemo.training.outcome import version_of
from mmdemo.training.recipes.base import Compared, Conclusion, compare_ranks, recipe_for

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


def held_out_items(snapshot: Snapshot) -> int:
    """How many items the labels that decide are of."""
    return len({e.item for e in snapshot.of(HELD_OUT, match=True)})


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
    snapshot = with_files(ws, take_snapshot(ws, labelled_task(version.task)))
    examples, items = snapshot.of(HELD_OUT, match=True), held_out_items(snapshot)
    if said := asked_before(ws, version_id, items):
        raise UserError(said, "Label some pairs of the held-out side first.")
    active = ws.versions.active(version.task)
    method = str(read_card(ws.version_folder(version_id)).get("method", "head"))
    recipe = recipe_for(ws, version.parent or active, method)
    compared = Compared(ws, active, version_id, examples, towers)
    found = recipe.compare(compared) if examples else None
    if found is None:
        return UNMEASURED
    verdict = _asked(compared, found, snapshot, annotator)
    note_on_card(ws.version_folder(version_id), gate=verdict.as_json())  # before anybody is answered by it
    return _promoted(ws, version_id, verdict)


def weigh_base(
    ws: Workspace, version_id: str, towers: Callable[[str], Towers], annotator: str = ""
) -> Verdict:
    """Ask the gate whether another base version is better than the active version, once for each held-out
    set; it is promoted where it is certain.

    Args:
        ws: the workspace.
        version_id: the base version.
        towers: gives the towers of a version, where they are needed.
        annotator: who asks.
    """
    task = ws.versions.get(version_id).task
    snapshot = with_files(ws, take_snapshot(ws, task))
    examples = snapshot.of(HELD_OUT, match=True)
    if not examples:
        return UNMEASURED
    items = held_out_items(snapshot)
    if said := asked_before(ws, version_id, items):
        return Verdict(False, "asked", said, items)
    compared = Compared(ws, ws.versions.active(task), version_id, examples, towers)
    return _promoted(ws, version_id, _asked(compared, compare_ranks(compared), snapshot, annotator))


def asked_before(ws: Workspace, version_id: str, items: int) -> str:
    """That a version was asked about, where no held-out items have come since; else empty."""
    asked = [a for a in ws.attempts.of_version(version_id) if a.number is not None]
    if not asked or items > asked[-1].items:
        return ""
    return f"{version_id} was asked about on {asked[-1].items} held-out items, and there are no more now."


def _asked(compared: Compared, found: Evidence, snapshot: Snapshot, annotator: str) -> Verdict:
    """What the gate says of a version that a person chose."""
    task, labels = compared.ws.versions.get(compared.after).task, held_out_labels(snapshot)
    question = Question(task, compared.after, compared.before, found, labels, annotator=annotator)
    return ask(compared.ws.attempts, question)


def _promoted(ws: Workspace, version_id: str, verdict: Verdict) -> Verdict:
    """The verdict, once what it finds certain is promoted."""
    if verdict.certain:
        ws.versions.activate(version_id, BY_GATE)
    return verdict


def outlook(ws: Workspace, task: str, snapshot: Snapshot) -> dict[str, Any]:
    """Before a run: which attempt it would be, and the smallest gain that could be seen."""
    items = held_out_items(snapshot)
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
