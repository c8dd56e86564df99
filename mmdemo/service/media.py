"""What can be done with media of any kind: keep a file, align it with texts, search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmdemo.bounds import bounds
from mmdemo.errors import MediaError, UserError
from mmdemo.media.regular_file import require_file
from mmdemo.modality import DEFAULT_TASK, MODALITIES, modality_of, task_of_file
from mmdemo.models.protocols import Task
from mmdemo.service.captions import CaptionCounts, answer
from mmdemo.service.context import Context
from mmdemo.service.searching import searcher_by
from mmdemo.store.facets import Choice, Counts
from mmdemo.store.splits import ALL, HELD_OUT
from mmdemo.store.tables import Item
from mmdemo.store.texts import clean_text, short_id, text_key

if TYPE_CHECKING:
    from mmdemo.retrieval.query import Query
    from mmdemo.retrieval.results import Results


CAPTIONS = 5  # that are proposed
MOST_SCORED, MOST_CHARACTERS = 200, 50_000  # captions, and what they hold together


class Media:
    """Items of an open workspace."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._ws = context.ws

    def item(self, item_id: str) -> Item:
        """The item of that id, of the collection or brought by whoever is asking.

        Raises:
            UserError: there is none that they may know of.
        """
        item = self._ws.visible(item_id)
        if item is None:
            if self._ws.items.was_removed(item_id):
                raise UserError("This file was removed from the collection.", "Choose another one.")
            raise UserError(f"There is no item {short_id(item_id)}.", "Choose another one.")
        return item

    def keep(self, path: Path, source: str = "upload", task: Task = DEFAULT_TASK) -> Item:
        """Keep a file for a while, as an item that nobody else finds until it is labelled or added."""
        return self._ws.add_media(modality_of(task).name, path, path.name, source=source, listed=False)

    def add_to_collection(self, item_id: str) -> Item:
        """Make what somebody brought to look at a part of the collection.

        Raises:
            UserError: there is no such item that they may know of.
        """
        item = self.item(item_id)
        with self._ws.scratch.keeping(item):
            self._ws.items.enlist(item.id)
        if not item.listed:
            self._context.keeper_of(self.task_of(item)).request()
        return item

    def task_of_file(self, path: Path) -> Task:
        """The task of a file, for verbs that name none.

        Raises:
            MediaError: it is no file that can be opened.
        """
        return task_of_file(require_file(path, self._ws.settings.max_file_mb), bounds(self._ws.settings))

    @staticmethod
    def task_of(item: Item) -> Task:
        """The task of an item's modality."""
        return MODALITIES.get(item.modality).task

    def not_looked_at(self, item: Item) -> str:
        """What of an item is not looked at, as a sentence, as of an animation; else empty."""
        own = MODALITIES.get(item.modality).not_looked_at
        return own(self._ws, item) if own else ""

    def align(self, item: Item, texts: Sequence[str], version: str | None = None) -> dict[str, Any]:
        """The JSON of `align`: how well each text fits, in the order given."""
        from mmdemo.retrieval.embed import load_medium

        texts = clean_captions(texts)
        aligner = self._context.models.aligner(self.task_of(item), version or None)
        medium = load_medium(self._ws, aligner.towers.media, item)
        language, note = aligner.told_of(medium)
        note = " ".join(filter(None, (self.not_looked_at(item), note)))
        scores = [vars(s) for s in aligner.align(medium, texts)]
        zones = aligner.zones.as_json() if aligner.measured else None
        return {
            "model": aligner.version,
            "scores": scores,
            "language": language,
            "note": note,
            "zones": zones,
        }

    def caption(self, item: Item, version: str | None = None) -> dict[str, Any]:
        """The JSON of `caption` where a modality has no way of its own: what people confirmed of it, and of
        others what fits, the best first.
        """
        from scipy.special import logit

        from mmdemo.models.captioning.proposals import PERHAPS, chosen
        from mmdemo.models.protocols import Caption
        from mmdemo.retrieval.confirmed import ConfirmedTexts
        from mmdemo.retrieval.embed import load_medium

        task = self.task_of(item)
        aligner = self._context.models.aligner(task, version or None)
        medium = load_medium(self._ws, aligner.towers.media, item)
        vector = aligner.encode_media([medium])[0]
        known = ConfirmedTexts(self._ws, aligner, item.id).near(vector, CAPTIONS)
        said_of_it = {*known.own, *known.refused}
        others = [t for t in known.nearest if t not in said_of_it and not aligner.cannot_tell(t)]
        said = np.empty(0)
        if others:
            said = aligner.probability_of(medium, others, aligner.encode_text(others) @ vector)
        chances = chosen(logit(np.clip(said, 1e-6, 1 - 1e-6)), known.texts)
        found = [Caption(text, 1.0, "confirmed") for text in known.own] + [
            Caption(text, round(float(p), 4), "labelled")
            for text, p in zip(others, chances, strict=True)
            if p >= PERHAPS
        ]
        counts = CaptionCounts(self._ws, task)
        rows = [counts.row(caption) for caption in sorted(found, key=lambda c: -c.score)]
        return answer(aligner.version, rows)

    def decoded(self, path: Path, task: Task, version: str = "") -> Any:
        """A file that is no item, decoded for a version of a task; empty: for the active one.

        Raises:
            MediaError: it cannot be read.
        """
        from mmdemo.retrieval.embed import decode_file

        require_file(path, self._ws.settings.max_file_mb)  # before seconds go into loading a model
        modality_of(task).describe(path, bounds(self._ws.settings))
        tower = self._context.models.aligner(task, version or None).towers.media
        return decode_file(tower, path, bounds(self._ws.settings))

    def evaluate(
        self, task: Task, version: str | None = None, pairs: str = "", split: str | None = None
    ) -> dict[str, Any]:
        """The JSON of `evaluate`: of a manifest where one is named, else of the workspace's own matches.

        Args:
            task: whose pairs.
            version: of the model; None: the active one.
            pairs: a manifest; empty: the workspace.
            split: only pairs of this side; all: of every side; None: held-out, of a manifest all.

        Raises:
            UserError: there is no such version, or nothing to measure on.
        """
        from mmdemo.data.reading import open_source
        from mmdemo.evaluation.evaluate import evaluate_manifest, evaluate_workspace

        if pairs:
            with open_source(pairs, task=task) as opened:
                opened.preview(1, counted_s=0)  # that it can be read, before seconds go into loading a model
        aligner = self._context.models.aligner(task, version)
        side = split or (ALL if pairs else HELD_OUT)
        if pairs:
            measured = evaluate_manifest(aligner, pairs, None if side == ALL else side)
        else:
            measured = evaluate_workspace(self._ws, aligner, side)
        return {"task": task, "model": aligner.version, **measured.as_json(), "split": side}

    def search(self, query: Query, task: Task = DEFAULT_TASK, version: str = "") -> Results:
        """The nearest items or texts, by a version; empty: by the active one. An item that is not of the
        collection is searched by as a file is: what is made of it is not kept.

        Raises:
            UserError: there is no such version or item, or the version has not read the collection yet.
        """
        searcher = searcher_by(self._context, task, version)
        item = self.item(query.item) if query.item else None
        if item is not None and not item.listed:
            from mmdemo.retrieval.embed import load_medium

            tower = self._context.models.aligner(task, version or None).towers.media
            query = replace(query, item=None, medium=load_medium(self._ws, tower, item))
        return searcher.search(query)

    def facets(self, task: Task, choice: Choice) -> Counts:
        """How many items of a task's collection each value of a facet would leave."""
        return self._ws.facets.counts(modality_of(task).name, task, choice)


def require_modality(item: Item, task: Task) -> None:
    """Refuse an item that cannot be read as a medium of a task.

    Raises:
        MediaError: it is of another modality, and its file holds none of this one.
    """
    own, wanted = MODALITIES.get(item.modality), modality_of(task)
    if wanted.name not in {own.name, *own.holds}:
        raise MediaError(f"{item.name} is no {wanted.noun}.", f"Choose {wanted.one}.")


def clean_captions(texts: Sequence[str]) -> list[str]:
    """The texts that are to be scored, each once, without the empty ones.

    Raises:
        UserError: there is none, or there are too many.
    """
    cleaned = [clean_text(text) for text in texts if text.strip()]
    kept = list({text_key(text): text for text in reversed(cleaned)}.values())[::-1]
    if not kept:
        raise UserError("There is no caption to score.", "Write at least one.")
    if len(kept) > MOST_SCORED:
        what = f"There are {len(kept)} captions, over the limit of {MOST_SCORED}."
        raise UserError(what, "Score fewer at once.")
    if (size := sum(map(len, kept))) > MOST_CHARACTERS:
        what = f"The captions have {size:,} characters together, over the limit of {MOST_CHARACTERS:,}."
        raise UserError(what, "Score fewer at once.")
    return kept
