"""Numbers of a pair: that a text fits, that it was said, that it is spoken about, and how near both lie."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from mmdemo.modality import modality_of
from mmdemo.models.calibration import BASE_RATE, CLASSES, ENTROPY, OVER_MEDIA, OVER_TEXTS, PairFit
from mmdemo.models.reliability import BINS, Bin
from mmdemo.models.shipped import fits_of_version
from mmdemo.models.version_source import version_source
from mmdemo.service.sources.table import SOURCES, Asked, Diagram, Told
from mmdemo.store.cards import read_card, reading
from mmdemo.store.workspace import Workspace

FEW = 5  # answers, below which a share says little
TITLE = "Can you trust its percent?"
RATE = f"Every percent means: among texts of which one in {round(1 / BASE_RATE)} is right."
MEASURE = "Label pairs and fine-tune it: ten matches for validation are enough to measure."
UNMEASURED = f"How far its percent can be trusted was not measured. {MEASURE}"
NO_PERCENT = f"What it is worth was not measured with this version, so there is no percent. {MEASURE}"
NAMED = {"": "that a text fits", "said": "that it was said", "about": "that it is what is spoken about"}


def _tenth(said: float) -> int:
    return min(BINS - 1, int(said * BINS))


def diagram(fit: PairFit, kind: str, said: float | None = None) -> Diagram | None:
    """The reliability of a fit, and what it says of a probability; None: nothing was measured.

    Args:
        fit: from what is known of a pair to its probability.
        kind: what it is a probability of, as in `fits_of_version`.
        said: the probability; None: the highest that enough answers said.
    """
    found = fit.reliability
    if found is None:
        return None
    at = (
        None
        if said is None
        else next((i for i, b in enumerate(found.bins) if _tenth(b.said) == _tenth(said)), None)
    )
    if said is None:
        shown = next((b for b in reversed(found.bins) if b.count >= FEW), None)
    else:
        shown = None if at is None else found.bins[at]
    zones = fit.zones
    return Diagram(
        f"{_sentence(shown)} ({NAMED.get(kind, kind)})" if kind else _sentence(shown),
        found.as_json(),
        zones.as_json(),
        at,
        (
            ("measured on", found.on),
            (
                "error",
                f"{100 * found.ece:.1f} points: so far lies what is said from what is right, on average",
            ),
            (
                "it says fits",
                f"from {100 * zones.fits:.0f} % on; doesn't fit up to {100 * zones.does_not:.0f} %",
            ),
        ),
    )


def _sentence(of: Bin | None) -> str:
    if of is None or of.count < FEW:
        return "Too few answers said as much to tell."
    low = 10 * _tenth(of.said)
    return f"Of 100 answers that said {low} to {low + 10} %, {100 * of.right:.0f} were right."


def fits_of(ws: Workspace, version: str) -> dict[str, PairFit]:
    """The fits behind a version's probabilities, by their kind."""
    preset, folder = version_source(ws, version).preset, ws.version_folder(version)
    card = read_card(folder)
    with reading(folder):
        return fits_of_version(preset.id, card)


def reliability_of(ws: Workspace, version: str) -> Told:
    """How far each of a version's probabilities is what it says, for its card."""
    found = [diagram(fit, kind) for kind, fit in fits_of(ws, version).items()]
    return _told(version, tuple(one for one in found if one is not None))


def _probability(asked: Asked, kind: str) -> Told:
    fit = fits_of(asked.ws, asked.version).get(kind)
    found = diagram(fit, kind, asked.value) if fit is not None else None
    told = _told(asked.version, (found,) if found else ())
    return told if kind else replace(told, about=f"{told.about} {_knows(fit)}".strip())


def _told(version: str, diagrams: tuple[Diagram, ...]) -> Told:
    return Told(TITLE, RATE if diagrams else f"{UNMEASURED} {RATE}", (("model", version),), diagrams)


def _knows(fit: PairFit | None) -> str:
    """What a percent knows of a pair besides its similarity; empty: nothing."""
    names = set(fit.weights) if fit is not None else set()
    known = []
    if names & {OVER_TEXTS, OVER_MEDIA}:
        known.append("how near both sides lie to a background that has nothing to do with them")
    if names & {CLASSES, ENTROPY}:
        known.append("how sure the model's classifier is of what it sees")
    if not known:
        return ""
    return (
        f"A pair with a higher similarity can be less likely: the percent also knows {' and '.join(known)}."
    )


def _similarity(asked: Asked) -> Told:
    source = version_source(asked.ws, asked.version)
    noun, fit = modality_of(source.task).noun, fits_of(asked.ws, asked.version).get("")
    fused = bool(read_card(asked.ws.version_folder(asked.version)).get("pair_calibration"))
    measured = fused or (fit is not None and fit.reliability is not None)
    worth = f"The percent beside it is what it is worth. {_knows(fit)}" if measured else NO_PERCENT
    return Told(
        "How near they lie",
        f"The cosine of the {noun}'s vector and the text's, from -1 to 1. It is no probability: the same "
        f"similarity can be much for one text and little for another. {worth}".strip(),
        (("model", asked.version),),
    )


SOURCES.add("fits", partial(_probability, kind=""))
SOURCES.add("said", partial(_probability, kind="said"))
SOURCES.add("about", partial(_probability, kind="about"))
SOURCES.add("similarity", _similarity)
