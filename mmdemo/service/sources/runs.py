"""Numbers of a run and of the version that it made: before and after, the gate, the curves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mmdemo.evaluation.caption_scores import CLIP_SCALE
from mmdemo.evaluation.comparison import RESAMPLES
from mmdemo.evaluation.gate import LEVEL
from mmdemo.evaluation.learning_curve import RESAMPLES as CURVE_RESAMPLES
from mmdemo.modality import labelled_task
from mmdemo.models.version_source import version_source
from mmdemo.service.sources.table import SOURCES, Asked, Fact, Told, counted
from mmdemo.store.cards import damaged_card, read_card

# What a figure is, by its name.
FIGURES = {
    "R@1": "Of 100 queries so many have a right answer in the first place.",
    "R@5": "Of 100 queries so many have a right answer among the first 5.",
    "R@10": "Of 100 queries so many have a right answer among the first 10.",
    "MedR": "Half of the queries have their first right answer at this rank or before it.",
    "mAP": "The mean average precision, in percent: 100 if every right answer stands before every wrong one.",
    "mean recall": "The mean of R@1, R@5 and R@10 in both directions, in percent.",
    "rank": "Where the right answer of this text stood among all that were measured: 1 is the first.",
    "WER": "The word error rate: of 100 words that were said so many are wrong, missing or added.",
    "CER": "The character error rate: of 100 characters so many are wrong, missing or added.",
    "mIoU": "The mean overlap of the first moment found with the right one: shared over joint time, percent.",
    "BLEU-4": "How many runs of up to four words a caption shares with what people wrote, 0 to 100.",
    "CLIPScore": f"{100 * CLIP_SCALE:.0f} times the cosine of a caption and its picture.",
    "accuracy": "Of 100 items whose text is a class so many have the right class in the first place.",
}
IOU = "Of 100 texts so many have a first moment that shares at least {} of the joint time with the right one."
INTERVAL = (
    f"The 95 % interval holds the gain in 95 of 100 draws of the same {{}}: {RESAMPLES:,} were drawn with "
    "replacement, each with its before and after."
)


@dataclass(frozen=True)
class RunFigures:
    """What a run measured, from its result or from the card of its version."""

    found: Mapping[str, Any]
    task: str
    before: str  # the versions
    after: str
    at: str

    @property
    def sides(self) -> list[Fact]:
        """Which versions were compared, and when."""
        return [("before", self.before), ("after", self.after), ("when", self.at)]

    @property
    def learned(self) -> Fact:
        """What was learned from."""
        on = self.found.get("trained_on") or {}
        matches = counted(on.get("match", 0), "match", "matches")
        left = on.get("left_out", 0)
        return (
            "trained on",
            f"{matches} and {counted(on.get('mismatch', 0), 'marked mismatch', 'marked mismatches')}"
            + (f", without {counted(left, 'pair')} whose files are gone" if left else ""),
        )


def _when(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def measured_by(asked: Asked) -> RunFigures:
    """What is known of the run or the version that was asked about.

    Raises:
        UserError: there is no such run or version.
    """
    if asked.version:
        card = read_card(asked.ws.version_folder(version_source(asked.ws, asked.version).id))
        try:
            at = _when(datetime.fromisoformat(card["created"].removesuffix("Z"))) if card else ""
        except (KeyError, ValueError, AttributeError) as e:
            raise damaged_card(asked.ws.version_folder(asked.version)) from e
        return RunFigures(card, card.get("task", asked.task), card.get("parent", ""), asked.version, at)
    run = asked.ws.runs.get(asked.run)
    return RunFigures(
        run.result or {}, run.task, run.parent, run.version_id or "", _when(run.finished_at or run.created_at)
    )


def _held_out(found: Mapping[str, Any]) -> str:
    count = (found.get("before") or {}).get("pairs", 0)
    items = (found.get("gate") or {}).get("items")
    of = f" of {counted(items, 'item')}" if items else ""
    return f"{counted(count, 'held-out match', 'held-out matches')}{of}, which no version learns from"


def _compared(title: str, drawn: str, on: Callable[[Mapping[str, Any]], str]) -> Callable[[Asked], Told]:
    """A figure before and after.

    Args:
        title: of the dialog.
        drawn: what an interval draws.
        on: what it was measured on, from a result.
    """

    def told(asked: Asked) -> Told:
        known = measured_by(asked)
        at_least = asked.of.removeprefix("R@1 IoU ")
        what = FIGURES.get(asked.of) or (IOU.format(at_least) if at_least != asked.of else "")
        about = " ".join(filter(None, (what, "" if asked.of == "rank" else INTERVAL.format(drawn))))
        return Told(title, about, (("measured on", on(known.found)), *known.sides, known.learned))

    return told


def _transcribed(found: Mapping[str, Any]) -> str:
    count = (found.get("transcripts") or {}).get("recordings", 0)
    return f"{counted(count, 'held-out recording')}, against the texts that they are labelled with"


def _captioned(found: Mapping[str, Any]) -> str:
    known = found.get("captions") or {}
    pictures = counted(known.get("pictures", 0), "held-out picture")
    return (
        f"{pictures}, against the texts that they are labelled with; CLIPScore by {known.get('aligner', '')}"
    )


def _localised(found: Mapping[str, Any]) -> str:
    count = ((found.get("moments") or {}).get("before") or {}).get("queries", 0)
    return f"{counted(count, 'held-out text')} with a span in a video, each looked for in its own video"


def _classified(found: Mapping[str, Any]) -> str:
    return counted((found.get("accuracy") or {}).get("items", 0), "held-out item")


def _gate(asked: Asked) -> Told:
    known = measured_by(asked)
    gate = known.found.get("gate") or {}
    facts: list[Fact] = [("measured on", counted(gate.get("items", 0), "held-out item"))]
    if gate.get("attempt"):
        facts += [
            ("attempt", f"{gate['attempt']} on this held-out set"),
            ("by chance", f"{100 * gate['p']:.2g} % of cases; {100 * gate['alpha']:.2g} % are allowed"),
        ]
    return Told(
        "Is it certainly better?",
        "Each held-out item has one vote: how far its right answer moved, by the logarithm of its rank, or "
        "by the errors of its text. A sign-flip test says how often votes of random sign do as well. All "
        f"attempts on one held-out set may err in {100 * LEVEL:.0f} % of cases together, so each further one "
        "may less. How many more items would tell follows from the spread of the votes.",
        (*facts, *known.sides),
    )


def _visible(asked: Asked) -> Told:
    if asked.run or asked.version:
        gate = measured_by(asked).found.get("gate") or {}
        items, attempt = gate.get("items", 0), gate.get("attempt")
    else:
        from mmdemo.labeling.snapshot import take_snapshot
        from mmdemo.training.promotion import outlook

        ahead = outlook(asked.ws, asked.task, take_snapshot(asked.ws, labelled_task(asked.task)))
        items, attempt = ahead["items"], ahead["attempt"]
    facts: list[Fact] = [("held out here", counted(items, "item"))]
    if attempt:
        facts.append(("attempt", f"{attempt} on this held-out set"))
    return Told(
        "The smallest gain that is seen",
        "A version that is really better by so much passes the test in 80 of 100 cases, with so many "
        "held-out items at this attempt. The points of mean recall are read from a curve that was fitted to "
        "runs on drawings, 25 to 200 labels, 40 splits; for other collections they are about right.",
        tuple(facts),
    )


def _validation(asked: Asked) -> Told:
    count = (measured_by(asked).found.get("trained_on") or {}).get("validation")
    what = (
        "The mean likelihood of a token of the right text" if asked.of == "likelihood" else "The mean recall"
    )
    return Told(
        "Validation",
        f"{what}, after every epoch, on pairs that the run does not learn from. With a patience they choose "
        "the epoch that is kept, which flatters it a little: the held-out pairs decide.",
        (
            ("measured on", f"{count if count is not None else 'the'} matches of the validation side"),
            ("run", asked.run),
        ),
    )


def _loss(asked: Asked) -> Told:
    known = measured_by(asked)
    facts: list[Fact] = [("run", asked.run)]
    if known.found.get("trained_on"):
        facts.insert(0, known.learned)
    return Told(
        "Training loss",
        "What the training makes small: its mean over the examples of an epoch. It is measured on the very "
        "pairs that are learned, so it says nothing of others.",
        tuple(facts),
    )


def _worth(asked: Asked) -> Told:
    known = measured_by(asked)
    curve = known.found.get("curve") or {}
    sizes = [str(p["labels"]) for p in curve.get("points", [])]
    on = (known.found.get("trained_on") or {}).get("validation", 0)
    return Told(
        "What labels are worth",
        "Heads that learn from the first of the labels only, each measured by its mean recall on the same "
        f"validation matches. The band is their 95 % interval, of {CURVE_RESAMPLES} draws. What the next "
        "labels bring is where a logarithm through the points goes on.",
        (
            ("measured on", counted(on, "validation match", "validation matches")),
            ("learned from", f"{', '.join(sizes)} labels" if sizes else "parts of the labels"),
            ("run", asked.run),
        ),
    )


SIDES = {
    "all": "all labelled matches of today",
    "train": "the train matches of today: a version does better on what it learned from than on other pairs",
}


def _side_by_side(asked: Asked) -> Told:
    """A figure of versions that were compared on the labels of now."""
    version_source(asked.ws, asked.version)
    on = SIDES.get(asked.split, f"the {asked.split} matches of today, which no version learns from")
    facts: list[Fact] = [("measured on", on), ("version", asked.version)]
    if asked.against:
        facts.append(("compared with", asked.against))
    about = FIGURES.get(asked.of) or INTERVAL.format("queries")
    return Told("Side by side", about, tuple(facts))


for name, source in {
    "retrieval": _compared("Before and after", "queries", _held_out),
    "accuracy": _compared("Before and after", "items", _classified),
    "transcripts": _compared("Before and after", "recordings", _transcribed),
    "moments": _compared("Before and after", "texts", _localised),
    "captions": _compared("Before and after", "pictures", _captioned),
    "gate": _gate,
    "visible": _visible,
    "validation": _validation,
    "loss": _loss,
    "worth": _worth,
    "side-by-side": _side_by_side,
}.items():
    SOURCES.add(name, source)
