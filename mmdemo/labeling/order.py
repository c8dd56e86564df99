"""Which pair next: at random at first, then what the model is least decided on, and few proposals.

Up to 150 labels nothing that was tried needs fewer of them than random order. After that the pairs come first
whose own text and the best other text score alike (margin sampling, Scheffer et al. 2001), and every fifth is
still drawn at random, so that the labels also say how the model does on ordinary ones. Of recordings, every
fourth is one where the recogniser heard other words than the text's, or where word times lie apart. Every
twentieth is a proposal: a picture with the text of one that the model takes for near. Who wants to check
mismatches has those first. benchmarks/label_order.py measures the order beside random.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmdemo.labeling.side_counts import count_sides
from mmdemo.labeling.snapshot import take_snapshot
from mmdemo.modality import modality_of
from mmdemo.models.aligner import HeadAligner
from mmdemo.models.manager import ModelManager
from mmdemo.models.protocols import Task
from mmdemo.retrieval.embed import feature_file, media_vectors, text_vectors, version_file
from mmdemo.retrieval.serving import IndexKeeper
from mmdemo.store.pairs import PairView
from mmdemo.store.tables import HARD_NEGATIVE
from mmdemo.store.texts import text_key
from mmdemo.store.workspace import Workspace

AT_RANDOM = 150  # labels to learn from, up to which the order is random
PROPOSALS = 12  # hard negatives that wait at most
CHECKED = 60  # as many where somebody checks mismatches
EACH_PROPOSAL, EACH_DOUBT, EACH_RANDOM = 20, 4, 5  # one of so many
RANKED = 5000  # unlabelled pairs that are scored at once
OTHER_TEXTS = 2000  # texts among which the best other one is looked for


@dataclass(frozen=True)
class Waiting:
    """A pair in the queue and why it is there."""

    pair: int
    why: str  # random, undecided, one of the modality's doubts, hard-negative, undone, later
    source: str = ""  # the pair's; empty: to be looked up


class Ranking:
    """Puts the pairs of one task in order.

    Args:
        ws: the workspace.
        models: to score with; while none is ready the order is random.
        keeper: the index, whose vectors are used.
        task: whose pairs.
    """

    def __init__(self, ws: Workspace, models: ModelManager, keeper: IndexKeeper, task: Task) -> None:
        self._ws = ws
        self._models = models
        self._keeper = keeper
        self._task: Task = task
        self._random = random.Random(0)

    def order(self, unlabelled: Sequence[PairView], wanted: int) -> tuple[list[Waiting], str]:
        """The pairs in their order, new proposals among them, and the version that ranked them, if any.

        Args:
            unlabelled: the pairs whose turn is still to come.
            wanted: proposals that should wait; half as many are enough.
        """
        own = [p for p in unlabelled if p.source != HARD_NEGATIVE]
        proposals = [p for p in unlabelled if p.source == HARD_NEGATIVE]
        ranked = [Waiting(p.id, "random", p.source) for p in own]
        self._random.shuffle(ranked)
        doubts: list[Waiting] = []
        version = ""
        if self._models.status(self._task).state == "ready":
            serving = self._keeper.serving()
            version = serving.version
            scored = self._scored(own[:RANKED], serving.aligner)
            doubts = self._doubts(scored, serving.aligner)
            if count_sides(take_snapshot(self._ws, self._task)).learned_from >= AT_RANDOM:
                ranked = self._by_margin(scored, ranked, serving.aligner)
            if len(proposals) < wanted // 2:
                proposals += self._propose(serving.aligner, wanted - len(proposals))
        hard = [Waiting(p.id, HARD_NEGATIVE, p.source) for p in proposals]
        return _sprinkled(_sprinkled(ranked, doubts, EACH_DOUBT), hard, EACH_PROPOSAL), version

    def _scored(self, pairs: Sequence[PairView], aligner: HeadAligner) -> list[PairView]:
        """The pairs whose items the model has seen already."""
        lacking = set(feature_file(self._ws, aligner.towers).missing([p.item for p in pairs]))
        known = np.array([p.item not in lacking for p in pairs], bool)
        modality = modality_of(self._task)
        if modality.spans is not None:
            kept = [modality.spans.is_kept(self._ws, aligner.towers.media.id, p.item) for p in pairs]
            known &= np.array(kept, bool)
        return [p for p, ok in zip(pairs, known, strict=True) if ok]

    def _doubts(self, pairs: Sequence[PairView], aligner: HeadAligner) -> list[Waiting]:
        """The pairs that the modality itself doubts, most doubtful first."""
        why, doubt = [""] * len(pairs), np.zeros(len(pairs))
        for name, doubts in modality_of(self._task).doubts if pairs else ():
            found = doubts(self._ws, aligner, pairs)
            rank = np.where(found > 0, _ranks(found), 0.0)
            why = [name if r > d else w for r, d, w in zip(rank, doubt, why, strict=True)]
            doubt = np.maximum(doubt, rank)
        order = np.argsort(-doubt, kind="stable")
        return [Waiting(pairs[i].id, why[i], pairs[i].source) for i in order if doubt[i] > 0]

    def _by_margin(
        self, pairs: Sequence[PairView], shuffled: Sequence[Waiting], aligner: HeadAligner
    ) -> list[Waiting]:
        """The pairs, least decided first, and every fifth at random."""
        if not pairs:
            return list(shuffled)
        _, margin = self._margins(pairs, aligner)
        by_margin = [pairs[i] for i in np.argsort(np.abs(margin), kind="stable")]
        least = [Waiting(p.id, "undecided", p.source) for p in by_margin]
        chance = shuffled[: len(shuffled) // EACH_RANDOM]
        return _sprinkled([*least, *shuffled], chance, EACH_RANDOM)

    def _margins(self, pairs: Sequence[PairView], aligner: HeadAligner) -> tuple[np.ndarray, np.ndarray]:
        """(N,) own similarity, and (N,) its lead over the best other text."""
        media = self._media_vectors(pairs, aligner)
        texts = aligner.project_text(text_vectors(self._ws, aligner.towers, [p.text for p in pairs]))
        own = np.einsum("nd,nd->n", media, texts)
        keys = np.array([text_key(p.text) for p in pairs])
        best = np.full(len(pairs), -1.0)
        others = np.linspace(0, len(pairs) - 1, min(OTHER_TEXTS, len(pairs))).astype(int)
        for start in range(0, len(pairs), 1024):
            part = slice(start, start + 1024)
            scores = media[part] @ texts[others].T
            scores[keys[part, None] == keys[others][None, :]] = -1.0
            best[part] = scores.max(1)
        return own, own - best

    def _media_vectors(self, pairs: Sequence[PairView], aligner: HeadAligner) -> np.ndarray:
        """(N, D) vectors of the pairs' media; of a span of a video, those of its frames."""
        if modality_of(self._task).spans is None:
            return self._keeper.version_vectors(aligner, [p.item for p in pairs])
        return media_vectors(self._ws, aligner, [(p.item, p.start_s, p.end_s) for p in pairs])

    def _propose(self, aligner: HeadAligner, count: int) -> list[PairView]:
        """New pairs: a picture with the text of another that the model takes for near, on the same side."""
        pairs = [
            p
            for p in self._ws.pairs.browse(self._task, limit=RANKED, shown=True)
            if p.source != HARD_NEGATIVE and p.split and p.training != "negative"
        ]
        lacking = set(version_file(self._ws, aligner).missing([p.item for p in pairs]))
        pairs = [p for p in pairs if p.item not in lacking]
        chosen = self._random.sample(
            [p for p in pairs if p.split == "train"], min(count, sum(p.split == "train" for p in pairs))
        )
        if len(pairs) < 10 or not chosen:
            return []
        texts = aligner.project_text(text_vectors(self._ws, aligner.towers, [p.final_text for p in pairs]))
        scores = self._media_vectors(chosen, aligner) @ texts.T  # (C, P)
        made: list[int] = []
        with self._ws.database.write() as session:
            for pair, line in zip(chosen, scores, strict=True):
                own = {
                    text_key(p.final_text)
                    for p in pairs
                    if (p.item, p.start_s, p.end_s) == (pair.item, pair.start_s, pair.end_s)
                }
                near = [pairs[i] for i in np.argsort(-line)[:40]]
                other = next(
                    (p for p in near if p.split == pair.split and text_key(p.final_text) not in own), None
                )
                if other is None:
                    continue
                row, new = self._ws.pairs.add(
                    session,
                    self._task,
                    pair.item,
                    other.final_text,
                    source=HARD_NEGATIVE,
                    start_s=pair.start_s,
                    end_s=pair.end_s,
                )
                if new:
                    made.append(row.id)
        return self._ws.pairs.views(made)


def _ranks(values: np.ndarray) -> np.ndarray:
    """(N,) each value's rank as a share, the greatest 1."""
    ranks = np.empty(len(values))
    ranks[np.argsort(values, kind="stable")] = np.arange(1, len(values) + 1)
    return ranks / len(values)


def _sprinkled(many: Sequence[Waiting], few: Sequence[Waiting], each: int) -> list[Waiting]:
    """One of the few among `each`, the rest of them at the end; a pair once, where it comes first."""
    mixed: dict[int, Waiting] = {}
    taken = {w.pair for w in few}
    rest, ahead = (w for w in many if w.pair not in taken), iter(few)
    for position, waiting in enumerate(rest, 1):
        mixed.setdefault(waiting.pair, waiting)
        if position % (each - 1) == 0 and (one := next(ahead, None)) is not None:
            mixed.setdefault(one.pair, one)
    for waiting in ahead:
        mixed.setdefault(waiting.pair, waiting)
    return list(mixed.values())
