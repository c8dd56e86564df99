"""What labels that are not held out say of a version before an attempt is spent on it.

Only examples that a version and those it stands on never learned from can say so: of the others it is too
sure. Validation pairs are such; where they are few, each fifth of the labels by a model that learned from the
other four.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from mmdemo.evaluation.evidence import Evidence, rank_evidence
from mmdemo.evaluation.metrics import Retrieval
from mmdemo.labeling.snapshot import Example
from mmdemo.store.cards import read_card
from mmdemo.store.splits import HELD_OUT
from mmdemo.store.workspace import Workspace

ENOUGH = 60  # validation items; below, folds over all labels say more
FOLDS = 5
AMONG = 60  # media and texts of the collection, beside those of a fold; docs/experiments.md
OF_FOLDS = "items with a match, each judged by a model that had not seen it,"


def ancestry(ws: Workspace, version: str | None) -> Iterator[str]:
    """A version and those it was trained from, the base last."""
    while version is not None:
        yield version
        version = ws.versions.get(version).parent


def unseen(ws: Workspace, version: str, examples: Sequence[Example]) -> list[Example]:
    """The examples whose items neither a version nor one that it stands on has learned from."""
    learned: set[int] = set()
    for one in ancestry(ws, version):
        card = read_card(ws.version_folder(one))
        learned |= set(card.get("learned_labels", card.get("labels", [])))  # earlier ones name all it knew
    seen = ws.labels.items_of(sorted(learned))
    return [e for e in examples if e.item not in seen]


def fold_of(item: str) -> int:
    """The fold of an item, for ever: by other digits of its hash than those that say its side."""
    return int(item[16:24], 16) % FOLDS


def out_of_fold(
    examples: Sequence[Example],
    judged: Sequence[Example],
    measure: Callable[[list[Example], list[Example]], tuple[Retrieval, Retrieval] | None],
) -> Evidence | None:
    """Before and after on examples of each fold, after by a model that learned from the other folds.

    Args:
        examples: what could be learned from.
        judged: those of them that may be measured on, matches only.
        measure: trains on the first and measures before and after on the second; None: it was stopped, or
            there is too little to learn from.
    """
    parts = []
    for fold in range(FOLDS):
        rest = [e for e in examples if fold_of(e.item) != fold and e.split != HELD_OUT]
        asked = [e for e in judged if fold_of(e.item) == fold]
        if len({e.item for e in asked}) < 2:  # one alone ranks first whatever the model
            continue
        found = measure(rest, asked)
        if found is None:
            return None
        parts.append(rank_evidence(*found, asked))
    if not parts:
        return None
    before, after = (np.concatenate([p.score[i] for p in parts]) for i in (0, 1))
    return Evidence(
        tuple(item for p in parts for item in p.items),
        np.concatenate([p.before for p in parts]),
        np.concatenate([p.after for p in parts]),
        (before, after),
        of=OF_FOLDS,
    )
