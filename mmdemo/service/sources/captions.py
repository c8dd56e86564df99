"""Numbers of a caption: what it claims, and how often people agreed with such captions."""

from __future__ import annotations

from mmdemo.models.captioning.agreement import BOUNDS, Agreed, kind_of
from mmdemo.models.captioning.seen import SHIPPED_ON, THING
from mmdemo.service.captions import COUNTED, CaptionCounts
from mmdemo.service.sources.table import SOURCES, Asked, Fact, Told, counted

LIKE_A_TEXT = "judged as Align judges any text"
CLAIMS = {
    "labelled": "A text that others are labelled with, "
    f"{LIKE_A_TEXT}, but stricter: one in as many as there are such texts is right, not one in five.",
    "written": f"The captioner wrote it, and the model of pictures {LIKE_A_TEXT}.",
}
AGREES = "How likely somebody who sees it would agree, by"
SEEN = f"{AGREES} the confidence of the picture model's own classifier."
BESIDE = (
    f"{AGREES} what the picture model's network sees. Its classifier has no class of this: it was fitted on "
    "pictures that were looked at."
)


def _claims(kind: int) -> str:
    least = f"{100 * BOUNDS[kind]:.0f}"
    if kind == 0:
        return f"{least} % and more"
    most = f"{100 * BOUNDS[kind - 1]:.0f} %"
    return f"{least} to {most}" if BOUNDS[kind] else f"less than {most}"


def _right(one: Agreed, mine: bool) -> str:
    return f"{one.right} of {one.of} right{', as this one claims' if mine else ''}"


def _caption(asked: Asked) -> Told:
    """What a caption claims, by where it comes from: `of`."""
    model = (("model", asked.version),)
    if asked.of in COUNTED:
        told = _agreed(asked)
        seen = BESIDE if asked.of == THING else SEEN
        return Told(told.title, f"{seen} {told.about}", (*told.facts, *model))
    about = f"{CLAIMS.get(asked.of, '')} How often such captions are right was not counted."
    return Told("What does this caption claim?", about.strip(), model)


def _agreed(asked: Asked) -> Told:
    counts, mine = CaptionCounts(asked.ws, asked.task), kind_of(asked.value or 0.0)
    rows: list[Fact] = [
        (f"claim {_claims(i)}", _right(one, i == mine)) for i, one in enumerate(counts.together)
    ]
    here = counted(sum(one.of for one in counts.own), "answer")
    return Told(
        "How often are such captions right?",
        f"Counted, not reckoned: captions that claim about as much, {SHIPPED_ON}, and what people here said "
        "of proposals.",
        (*rows, ("of them here", here)),
    )


SOURCES.add("caption", _caption)
SOURCES.add("agreed", _agreed)
