"""A run of a head: it learns from cached features, and everything that it serves is measured."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from mmdemo.evaluation.calibrating import fit_version
from mmdemo.evaluation.comparison import calibrate, calibrate_pairs, comparison, moment_comparison
from mmdemo.evaluation.evaluate import fit_of, head_of
from mmdemo.evaluation.evidence import Evidence, rank_evidence
from mmdemo.evaluation.gate import LEAST_ASKED
from mmdemo.evaluation.learning_curve import learning_curve
from mmdemo.evaluation.measure import measure
from mmdemo.evaluation.metrics import Retrieval
from mmdemo.evaluation.pair_arrays import PairArrays, load_arrays, prepare_features, with_cells
from mmdemo.evaluation.transcripts import measure_transcripts
from mmdemo.labeling.snapshot import Example
from mmdemo.modality import modality_of
from mmdemo.models.aligner import HeadAligner
from mmdemo.models.heads.residual import HEADS, ResidualHead
from mmdemo.models.heads.saved import load_head, save_head
from mmdemo.models.load import base_calibration
from mmdemo.models.presets import LOADERS, Preset
from mmdemo.retrieval.embed import load_medium
from mmdemo.retrieval.hubness import has_hubs
from mmdemo.retrieval.speech.transcript_jobs import VOCABULARY, vocabulary_of
from mmdemo.store.durable import write_durably
from mmdemo.store.splits import TRAIN, VALIDATION
from mmdemo.store.texts import text_key
from mmdemo.store.workspace import Workspace
from mmdemo.training.foretelling import AMONG, ENOUGH, out_of_fold, unseen
from mmdemo.training.label_noise import FEWEST
from mmdemo.training.recipes.base import (
    RECIPES,
    Conclusion,
    FinishedRun,
    OpenedRun,
    Recipe,
    StartedRun,
    compare_ranks,
)
from mmdemo.training.trainables.head import (
    HeadLearning,
    head_defaults,
    merged,
    new_head,
    recall_of,
    trained_head,
)

REFERENCE_ROWS = 5000  # items whose features standardise the head's input


def open_run(started: StartedRun) -> OpenedRun:
    """An untrained head, and the tower outputs of the labelled pairs, made now where they lack."""
    ws, preset, settings, compute = started.ws, started.preset, started.settings, started.compute
    prepare_features(ws, preset, started.snapshot.examples, started.towers)
    kind = settings.head or preset.heads[0]
    train = _arrays(started, started.train, kind)
    head = new_head(train, reference_features(ws, preset), preset.dim, settings, compute)

    check = None
    if started.validation:
        check = recall_of(head, _arrays(started, started.validation, kind, ranked=True), preset.dim)
    learning = HeadLearning(head, train, settings, compute)
    return OpenedRun(learning, lambda folder: save_head(merged(head), folder), started.train, check)


def conclude(finished: FinishedRun) -> Conclusion:
    """Measure retrieval, and what else the modality has, by the head before and the new one."""
    started = finished.started
    ws, run, preset, measured = started.ws, started.run, started.preset, started.measured
    finished.opened.save(started.folder)
    old, new = head_of(ws, run.parent), load_head(started.folder)
    pairs = _arrays(started, started.snapshot.of(VALIDATION), new.shape.kind)
    modality = modality_of(preset.task)
    # A video's similarity is that of a moment: the fit that ships stands.
    fit = fit_version(_aligner(started, new), pairs) if modality.spans is None else None
    fits = fit_of(ws, run.parent), fit
    before, after = (
        measure(head, _arrays(started, measured, _kind(head), ranked=True), preset.dim, own)
        for head, own in zip((old, new), fits, strict=True)
    )
    result = comparison(before, after, measured) | finished.facts
    if modality.spans is not None and any(e.start is not None for e in measured):
        found = [modality.spans.localise(ws, _aligner(started, one), measured) for one in (old, new)]
        result["moments"] = moment_comparison(*found)
    if modality.vocabulary is not None:
        result["vocabulary"] = modality.vocabulary(ws, started.towers(), started.train)
        write_durably(started.folder / VOCABULARY, json.dumps(result["vocabulary"]).encode())
    if modality.spans is None:
        result["fit"] = fit.as_json() if fit is not None else None
    if new.fuses:
        result["pair_calibration"] = asdict(calibrate_pairs(new, pairs))  # type: ignore[arg-type]
    return Conclusion(
        result,
        calibrate(new, pairs, preset.dim, base_calibration(preset, started.towers)),
        rank_evidence(before, after, measured) if measured else None,
        lambda: _foretold(finished, old, new),
        later=(lambda: _curve(finished), lambda: _error_rates(finished, result.get("vocabulary") or [])),
    )


def reference_features(ws: Workspace, preset: Preset) -> np.ndarray:
    """(M, F) features of items, labelled or not, that say how each channel spreads."""
    features = ws.vectors(preset.media_features, preset.feature_dim, np.float16)
    features.leave_out_damaged()
    matrix = features.matrix()
    step = max(1, len(matrix) // REFERENCE_ROWS)
    return np.asarray(matrix[::step], dtype=np.float32)


def _arrays(started: StartedRun, examples: Sequence[Example], kind: str, ranked: bool = False) -> PairArrays:
    """The tower outputs of examples, as a kind of head takes them; to be ranked, or only trained on."""
    arrays = load_arrays(started.ws, started.preset, examples, started.towers if ranked else None)
    if not ranked and len(examples) >= FEWEST and has_hubs(started.preset.task):
        arrays = replace(arrays, grounds=started.towers().grounds)  # to doubt labels by
    if kind and HEADS[kind].looks_at_parts:
        return with_cells(started.ws, started.towers(), examples, arrays)
    return arrays


def _kind(head: ResidualHead | None) -> str:
    return head.shape.kind if head else ""


def _aligner(started: StartedRun, head: ResidualHead | None) -> HeadAligner:
    towers, make = started.towers(), LOADERS[started.preset.loader].make_aligner or HeadAligner
    return make("measured", started.preset.task, towers, head, towers.calibration)


def forward(ws: Workspace, aligner: HeadAligner, examples: Sequence[Example]) -> None:
    """Make the features of examples."""
    items = ws.items.of([e.item for e in examples])
    aligner.encode_media([load_medium(ws, aligner.towers.media, items[e.item]) for e in examples])
    aligner.encode_text([e.text for e in examples])


def _fit(finished: FinishedRun) -> Callable[[PairArrays], ResidualHead | None]:
    """Trains a head as the run's own, for the same share of its epochs, on other examples; gives None where
    the run was stopped.
    """
    started = finished.started
    settings, dim, reference = (
        started.settings,
        started.preset.dim,
        reference_features(started.ws, started.preset),
    )

    def fit(part: PairArrays) -> ResidualHead | None:
        return trained_head(part, reference, dim, settings, started.compute, finished.share, started.stopped)

    return fit


def _foretold(finished: FinishedRun, old: ResidualHead | None, new: ResidualHead) -> Evidence | None:
    """Before and after on validation pairs; where those are few, by heads on folds that they did not see."""
    started = finished.started
    ws, preset, kind = started.ws, started.preset, new.shape.kind
    may_learn = started.snapshot.of(TRAIN) + started.snapshot.of(VALIDATION)
    judged = unseen(ws, started.run.parent, [e for e in may_learn if e.match])
    validation = [e for e in judged if e.split == VALIDATION]

    def measured(head: ResidualHead | None, on: Sequence[Example], among: int = 0) -> Retrieval:
        pairs = _arrays(started, on, _kind(head), ranked=True)
        return measure(head, pairs.among(among), preset.dim).first(len(on))

    if len({e.item for e in validation}) >= ENOUGH:
        return rank_evidence(measured(old, validation), measured(new, validation), validation)
    fit = _fit(finished)

    def folded(rest: list[Example], asked: list[Example]) -> tuple[Retrieval, Retrieval] | None:
        texts = {text_key(e.text) for e in rest if e.match}
        head = fit(_arrays(started, rest, kind)) if len(texts) > 1 else None
        return None if head is None else (measured(old, asked, AMONG), measured(head, asked, AMONG))

    return out_of_fold(may_learn, judged, folded)


def _curve(finished: FinishedRun) -> dict[str, Any]:
    """What the labels were worth, by heads that learn from the first of them only; or why nobody can say."""
    started = finished.started
    preset, watched = started.preset, len({e.item for e in started.validation})
    if watched < LEAST_ASKED:
        return {
            "no_curve": f"It cannot be said yet: {watched} of the {LEAST_ASKED} pairs to check by that it "
            "takes are there. Label on: some of the answers become such pairs."
        }
    kind = started.settings.head or preset.heads[0]
    train, validation = (
        _arrays(started, started.train, kind),
        _arrays(started, started.validation, kind, True),
    )
    curve = learning_curve(train, validation, preset.dim, _fit(finished))
    if curve is not None:
        return {"curve": curve.as_json()}
    return {
        "no_curve": "It was not measured: the run was stopped, or it has too few answers that fit to learn "
        "from parts of them. Label more, and tune again."
    }


def _error_rates(finished: FinishedRun, vocabulary: list[str]) -> dict[str, Any]:
    """What expecting words does to transcripts."""
    started = finished.started
    if not vocabulary or not started.measured:
        return {}
    tower, known = started.towers().media, vocabulary_of(started.ws, started.run.parent)
    rates = measure_transcripts(
        started.ws, (tower, known), (tower, vocabulary), started.measured, started.stopped
    )
    return {} if rates is None else {"transcripts": rates}


RECIPES.add(
    "head",
    Recipe(open_run, conclude, compare_ranks, lambda tower, *asked: head_defaults(*asked), forward),
)
