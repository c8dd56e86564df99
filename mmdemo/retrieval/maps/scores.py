"""How well each item of a collection fits a text: what a search says of it, and how near items lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmdemo.models.aligner import HeadAligner
from mmdemo.retrieval.candidates import beside
from mmdemo.retrieval.embed import version_file
from mmdemo.retrieval.query import MAX_K, Query
from mmdemo.retrieval.search import Searcher
from mmdemo.store.texts import clean_text
from mmdemo.store.workspace import Workspace


@dataclass(frozen=True)
class Scores:
    """The scores of N items."""

    version: str
    numbers: np.ndarray  # (N,) probabilities, or similarities where those say more; NaN: of no vector
    measured: bool  # whether they are probabilities
    note: str  # what does not work with the text; then nothing is told


def scores_of(ws: Workspace, searcher: Searcher, aligner: HeadAligner, text: str, ids: list[str]) -> Scores:
    """How well each of N items fits a text. Those that a search finds first have its number; the others the
    one of their similarity, which a search would show with them too, but none above what stands before it.

    Raises:
        UserError: there is no text.
    """
    query = Query(text=text, k=MAX_K, everything=True, feedback=False)
    found = searcher.search(query)
    near = similarities(ws, aligner, aligner.project_text(aligner.text_vectors([clean_text(text)]))[0], ids)
    told = [r for r in found.results if r.probability is not None]
    if found.note or not aligner.measured or not told:
        return Scores(found.version, near, False, found.note)
    numbers = np.full(len(ids), np.nan)
    there = np.isfinite(near)
    numbers[there] = np.minimum(beside(aligner, near[there]), min(r.probability or 0.0 for r in told))
    row_of = {item: row for row, item in enumerate(ids)}
    for result in told:
        if result.item in row_of:
            numbers[row_of[result.item]] = result.probability
    return Scores(found.version, numbers, True, "")


def similarities(ws: Workspace, aligner: HeadAligner, vector: np.ndarray, ids: list[str]) -> np.ndarray:
    """(N,) float64 similarities of items with a (D,) vector; NaN where an item has none by the version."""
    file = version_file(ws, aligner)
    rows = file.rows_of(ids)
    near = np.full(len(ids), np.nan)
    near[rows >= 0] = file.matrix()[rows[rows >= 0]] @ vector
    return near


def nearest_to(
    ws: Workspace, aligner: HeadAligner, items: Sequence[str], among: list[str], count: int
) -> list[tuple[str, float]]:
    """The items nearest to the middle of some others, which are not among them, each with its similarity."""
    file = version_file(ws, aligner)
    rows = file.rows_of(list(items))
    rows = rows[rows >= 0]
    if not len(rows):
        return []
    middle = file.matrix()[rows].mean(axis=0)
    own = set(items)
    others = [item for item in among if item not in own]
    near = similarities(ws, aligner, middle / max(float(np.linalg.norm(middle)), 1e-12), others)
    near = np.where(np.isfinite(near), near, -2.0)
    order = np.argsort(-near, kind="stable")[:count].tolist()
    return [(others[row], float(near[row])) for row in order if near[row] > -2.0]
