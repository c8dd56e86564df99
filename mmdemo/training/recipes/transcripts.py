"""A run of a recogniser: it learns itself from corrected transcripts, and is measured by its errors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from mmdemo.errors import DataError
from mmdemo.evaluation.comparison import comparison
from mmdemo.evaluation.evaluate import head_of, retrieval_with
from mmdemo.evaluation.evidence import Evidence
from mmdemo.evaluation.transcripts import error_evidence, error_rates, hear
from mmdemo.labeling.snapshot import Example
from mmdemo.media.audio import decode_audio
from mmdemo.models.aligner import HeadAligner
from mmdemo.models.heads.residual import ResidualHead
from mmdemo.models.heads.saved import save_head
from mmdemo.models.load import load_towers
from mmdemo.models.manager import calibration_of
from mmdemo.models.speech.recogniser import WINDOW_S
from mmdemo.models.version_source import version_source
from mmdemo.retrieval.embed import spoken_language
from mmdemo.retrieval.speech.transcript_jobs import vocabulary_of
from mmdemo.store.tables import Item
from mmdemo.store.workspace import Workspace
from mmdemo.training.foretelling import unseen
from mmdemo.training.outcome import save_learned
from mmdemo.training.recipes.base import (
    RECIPES,
    Compared,
    Conclusion,
    FinishedRun,
    OpenedRun,
    Recipe,
    StartedRun,
)
from mmdemo.training.trainables.recognisers import LEARNERS, Recording
from mmdemo.training.trainables.texts import WriterLearning, likelihood_of, writing_defaults

GATED = 60  # held-out recordings that are transcribed twice, for the gate


def open_run(started: StartedRun) -> OpenedRun:
    """A recogniser, and the recordings whose texts people confirmed. A text that was marked as wrong teaches
    nothing here: most of its words may have been said.

    Raises:
        DataError: nothing to train on is short enough to be heard at once.
    """
    ws, preset = started.ws, started.preset
    known = ws.items.of(sorted({e.item for e in started.snapshot.examples}))

    def short(examples: list[Example]) -> list[Example]:
        return [
            e
            for e in examples
            if e.match and e.item in known and (known[e.item].duration_s or 0.0) <= WINDOW_S
        ]

    def recordings(examples: list[Example]) -> list[Recording]:
        return [
            Recording(partial(decode_audio, ws.media_path(known[e.item])), e.text, language_of(known[e.item]))
            for e in examples
        ]

    def language_of(item: Item) -> str:
        return spoken_language(ws, started.towers().media, item) if adapted.multilingual else "en"

    train, validation = short(started.train), short(started.validation)
    if not train:
        raise DataError(
            f"No labelled recording is shorter than {WINDOW_S:.0f} s, which is what the model hears at once.",
            "Label shorter recordings, or train the head.",
        )
    adapted = LEARNERS[preset.loader](preset.media_tower, started.compute, started.method)
    check = likelihood_of(adapted, recordings(validation)) if validation else None
    return OpenedRun(WriterLearning(adapted, recordings(train)), adapted.save, train, check)


def conclude(finished: FinishedRun) -> Conclusion:
    """Measure transcripts and retrieval by the recogniser before and the one that learned."""
    started = finished.started
    ws, run, preset, measured = started.ws, started.run, started.preset, started.measured
    learned = save_learned(preset, run, started.folder, finished.opened.save)
    head = _copy_head(ws, run.parent, started.folder)
    after, _ = load_towers(learned, ws.settings)
    before = retrieval_with(ws, preset, started.towers, head, measured)
    reached = retrieval_with(ws, learned, lambda: after, head, measured)
    old = started.towers().media, vocabulary_of(ws, run.parent)
    rows = hear(ws, old, (after.media, ()), measured, lambda: False, GATED)

    def validation() -> Evidence | None:
        asked = unseen(ws, run.parent, started.validation)
        found = hear(ws, old, (after.media, ()), asked, lambda: False, GATED // 2)
        return error_evidence(found) if found else None

    return Conclusion(
        comparison(before, reached, measured)
        | finished.facts
        | ({"transcripts": error_rates(rows)} if rows else {}),
        calibration_of(version_source(ws, run.parent), after),  # the shared space is the parent's
        error_evidence(rows) if rows else None,
        validation,
    )


def compare(asked: Compared) -> Evidence | None:
    """Two recognisers by the errors of their transcripts."""
    ws = asked.ws
    sides = [(asked.towers(v).media, vocabulary_of(ws, v)) for v in (asked.before, asked.after)]
    rows = hear(ws, sides[0], sides[1], asked.examples, lambda: False, GATED)
    return error_evidence(rows) if rows else None


def _copy_head(ws: Workspace, parent: str, target: Path) -> ResidualHead | None:
    """The parent's head goes on serving; it is trained again where that is wanted."""
    head = head_of(ws, parent)
    if head is not None:
        save_head(head, target)
    return head


def forward(ws: Workspace, aligner: HeadAligner, examples: Sequence[Example]) -> None:
    """The recogniser once, not what is kept of it."""
    items = ws.items.of([e.item for e in examples])
    aligner.towers.media.encode([decode_audio(ws.media_path(items[e.item])) for e in examples])
    aligner.encode_text([e.text for e in examples])


RECIPES.add("transcripts", Recipe(open_run, conclude, compare, lambda *asked: writing_defaults({}), forward))
