"""How often the gate errs, and what it sees: chains of attempts on drawings, by the page's own code.

    python benchmarks/gate.py [--clipart FOLDER] [--chains 20] [--attempts 20] [--kind train both equal]
    python benchmarks/gate.py --power [--splits 20] [--labels 50 100] [--held-out 30 60 112 250]

A chain splits the drawings anew into held-out, validation (half as many), labels to train on, and a rest
on which the truth is measured; then it trains and asks the gate again and again, each version beside the
active one. Labels are shuffled in the train side, or in all sides, or true ones make equal versions by other
seeds. A chain errs that ends with a version that is worse on the rest. Power: the share of first attempts
with true labels that are let through, by the test alone, and with what validation says before it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from common import Clipart, load_clipart

from mmdemo.evaluation.evidence import Evidence, rank_evidence
from mmdemo.evaluation.gate import Question, ask, can_succeed, label_seed, level, sign_flip
from mmdemo.evaluation.measure import measure
from mmdemo.evaluation.pair_arrays import PairArrays
from mmdemo.labeling.snapshot import Example
from mmdemo.models.device import decide_compute
from mmdemo.models.heads.residual import ResidualHead
from mmdemo.store.attempts import AttemptLog
from mmdemo.store.database import Database
from mmdemo.store.splits import HELD_OUT
from mmdemo.training.config import TrainSettings
from mmdemo.training.foretelling import AMONG, ENOUGH, out_of_fold
from mmdemo.training.trainables.head import train_head

DIM = 384
KINDS = {"train": (True, False), "both": (True, True), "equal": (False, False)}  # what is shuffled


@dataclass(frozen=True)
class Sides:
    """Row numbers of one split."""

    held_out: np.ndarray
    validation: np.ndarray
    train: np.ndarray
    rest: np.ndarray


class Drawings:
    """Heads and what they reach on rows of the drawings."""

    def __init__(self, art: Clipart) -> None:
        self.art, self.compute = art, decide_compute("cpu")
        self.reference = art.pairs.features

    def split(self, rng: np.random.Generator, held_out: int, labels: int) -> Sides:
        """New sides at random."""
        order = rng.permutation(len(self.art.pairs))
        cuts = np.cumsum([held_out, held_out // 2, labels])
        return Sides(*np.split(order, cuts))

    def pairs(self, rows: np.ndarray, texts: np.ndarray | None = None) -> PairArrays:
        """Rows, perhaps with the texts of other rows."""
        own = self.art.pairs.take(rows)
        if texts is None:
            return own
        other = self.art.pairs.take(texts)
        return replace(own, texts=other.texts, text_code=other.text_code)

    def head(self, pairs: PairArrays, seed: int) -> ResidualHead:
        """A head that learned from pairs."""
        *_, (_, head) = train_head(pairs, None, self.reference, DIM, TrainSettings(seed=seed), self.compute)
        return head

    def evidence(self, old: ResidualHead | None, new: ResidualHead | None, pairs: PairArrays) -> Evidence:
        """Before and after."""
        return rank_evidence(measure(old, pairs, DIM), measure(new, pairs, DIM), examples_of(pairs))


def examples_of(pairs: PairArrays) -> list[Example]:
    """The rows as the gate names them: an item's hash is its number, mixed."""
    return [
        Example(i, i, f"{int(item) * 2654435761 % 2**32:08x}" * 8, f"text {text}", True, HELD_OUT)
        for i, (item, text) in enumerate(zip(pairs.item_code, pairs.text_code, strict=True))
    ]


def joined(some: PairArrays, more: PairArrays) -> PairArrays:
    """Rows of both."""
    names = ("features", "texts", "match", "item_code", "text_code")
    return PairArrays(*(np.concatenate([getattr(some, n), getattr(more, n)]) for n in names))


def folded(
    art: Drawings, old: ResidualHead | None, pairs: PairArrays, rest: np.ndarray, seed: int
) -> Evidence | None:
    """Before and after on folds of the labels, among some of the rows that nobody labelled."""
    rows, others = examples_of(pairs), art.pairs(rest[:AMONG])
    some = [replace(e, split="train") for e in rows]

    def both(rest: list[Example], asked: list[Example]):  # type: ignore[no-untyped-def]
        test = pairs.take(np.array([e.label for e in asked]))
        new = art.head(pairs.take(np.array([e.label for e in rest])), seed)
        found = (measure(one, joined(test, others), DIM) for one in (old, new))
        before, after = (one.first(len(test)) for one in found)
        return before, after

    return out_of_fold(some, some, both)


def may_pass(question: Question) -> bool:
    """Whether any attempt could let a version through. Where none could, what validation says of it matters
    only for the numbers of later attempts, so it is measured when one of those may pass: the chain ends the
    same, in a fifth of the time.
    """
    votes, (before, after) = question.evidence.votes(), question.evidence.scores()
    first, seed = level(1), label_seed(question.labels)
    if after < before or sign_flip(votes, first, seed) > first or question.validation is None:
        return False
    said = question.validation()
    return said is not None and bool(can_succeed(said.votes(), len(votes), first))


def chain(
    art: Drawings, kind: str, held_out: int, labels: int, attempts: int, seed: int
) -> tuple[bool, bool]:
    """Whether a chain ended with a worse version, and whether anything was promoted."""
    rng = np.random.default_rng(seed)
    sides, (train_shuffled, all_shuffled) = art.split(rng, held_out, labels), KINDS[kind]

    def shuffled(rows: np.ndarray, really: bool) -> PairArrays:
        return art.pairs(rows, rng.permutation(rows) if really else None)

    test, watch = shuffled(sides.held_out, all_shuffled), shuffled(sides.validation, all_shuffled)
    active = first = art.head(art.pairs(sides.train), 10_000 + seed) if kind == "equal" else None
    waiting: list[Question] = []
    with tempfile.TemporaryDirectory() as folder:
        log = AttemptLog(Database(f"sqlite:///{Path(folder) / 'a.sqlite3'}"))
        for attempt in range(attempts):
            learned = shuffled(sides.train, train_shuffled)
            both = joined(learned, watch)
            head = art.head(learned, 1000 * seed + attempt)
            found = art.evidence(active, head, test)
            few = held_out // 2 < ENOUGH and active is None
            foreseen = cache(
                (lambda p=both, a=attempt: folded(art, None, p, sides.rest, a))
                if few
                else (lambda h=head, a=active: art.evidence(a, h, watch))
            )
            question = Question("image-text", f"v{attempt}", "v", found, tuple(range(held_out)), foreseen)
            if not may_pass(question):
                waiting.append(question)
                continue
            for before in waiting:
                ask(log, before)
            waiting = []
            if ask(log, question).certain:
                active = head
    if active is first:
        return False, False
    truth = art.pairs(sides.rest)
    return measure(active, truth, DIM).mean_recall < measure(first, truth, DIM).mean_recall, True


def power(art: Drawings, held_out: int, labels: int, splits: int) -> tuple[float, float, float]:
    """Percent of first attempts let through by the test, by the test after the forecast, and the gain."""
    passed, through, gains = [], [], []
    for seed in range(splits):
        sides = art.split(np.random.default_rng(seed), held_out, labels)
        learned = art.pairs(sides.train)
        both = art.pairs(np.concatenate([sides.train, sides.validation]))
        head = art.head(learned, seed)
        found = art.evidence(None, head, art.pairs(sides.held_out))
        votes, (before, after) = found.votes(), found.scores()
        passed.append(sign_flip(votes, level(1), seed) <= level(1) and after >= before)
        watch = art.evidence(None, head, art.pairs(sides.validation))
        with tempfile.TemporaryDirectory() as folder:
            log = AttemptLog(Database(f"sqlite:///{Path(folder) / 'a.sqlite3'}"))
            foreseen = watch if held_out // 2 >= ENOUGH else folded(art, None, both, sides.rest, seed)
            through.append(ask(log, Question("t", "v", "b", found, (seed,), lambda f=foreseen: f)).certain)
        truth = art.pairs(sides.rest)
        gains.append(measure(head, truth, DIM).mean_recall - measure(None, truth, DIM).mean_recall)
    return 100 * float(np.mean(passed)), 100 * float(np.mean(through)), float(np.mean(gains))


def main() -> None:
    """Print the table that was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clipart", type=Path, help="a folder with metadata.csv; default: assets/clipart")
    parser.add_argument("--chains", type=int, default=20)
    parser.add_argument("--attempts", type=int, default=20)
    parser.add_argument("--kind", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--power", action="store_true")
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--labels", nargs="+", type=int, default=[50])
    parser.add_argument("--held-out", nargs="+", type=int, default=[60])
    parser.add_argument("--seed", type=int, default=0, help="of the first chain")
    options = parser.parse_args()
    art = Drawings(load_clipart(root=options.clipart) if options.clipart else load_clipart())
    if options.power:
        print("| labels | held-out | gain, points | let through by the test, % | and by the forecast, % |")
        print("|---|---|---|---|---|")
        for labels in options.labels:
            for held_out in options.held_out:
                alone, both, gain = power(art, held_out, labels, options.splits)
                print(f"| {labels} | {held_out} | {gain:.1f} | {alone:.0f} | {both:.0f} |", flush=True)
        return
    print("| shuffled | held-out | labels | chains | promoted something | ended with a worse version |")
    print("|---|---|---|---|---|---|")
    for kind in options.kind:
        for held_out in options.held_out:
            ran = []
            for i in range(options.chains):
                ran.append(chain(art, kind, held_out, options.labels[0], options.attempts, options.seed + i))
                told = f"{kind} {held_out}: chain {i + 1} of {options.chains}, {sum(w for w, _ in ran)} worse"
                print(told, file=sys.stderr, flush=True)
            worse, moved = (sum(column) for column in zip(*ran, strict=True))
            print(
                f"| {kind} | {held_out} | {options.labels[0]} | {len(ran)} | {moved} | {worse} |", flush=True
            )


if __name__ == "__main__":
    main()
