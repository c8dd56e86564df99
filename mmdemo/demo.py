"""Everything that mmdemo can do, once: the page, its API and the command line call these and nothing else.

A `Demo` is one open workspace with its models, index, queue and runs. Its methods take plain values and
return the JSON of docs and command line.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdemo.data.exporting import Exported, export_labels
from mmdemo.data.importing import ImportReport, import_source
from mmdemo.errors import UserError
from mmdemo.hearing import Hearing
from mmdemo.media.image import decode_image
from mmdemo.modality import MODALITIES, modality_of, task_of_file
from mmdemo.models.protocols import DEFAULT_TASK, Task
from mmdemo.store.labels import NewLabel
from mmdemo.store.pairs import PairView
from mmdemo.store.tables import Item
from mmdemo.store.texts import clean_text
from mmdemo.versioning import Versioning
from mmdemo.watching import Watching

if TYPE_CHECKING:
    from PIL import Image

    from mmdemo.labeling.queue import PairQueue
    from mmdemo.models.explain import Explanation
    from mmdemo.retrieval.search import Query, Results


class Demo(Hearing, Watching, Versioning):
    """Everything that can be done with an open workspace."""

    # Pictures

    def picture(self, item_id: str) -> Image.Image:
        """The decoded picture of an item.

        Raises:
            UserError: there is no such item.
        """
        return decode_image(
            self.ws.media_path(self.item(item_id)), max_megapixels=self.settings.max_megapixels
        )

    def item(self, item_id: str) -> Item:
        """The item of that id.

        Raises:
            UserError: there is none.
        """
        item = self.ws.items.get(item_id)
        if item is None:
            raise UserError(f"There is no item {item_id[:12]}.", "Choose another picture.")
        return item

    def keep(self, path: Path, source: str = "upload", task: Task = DEFAULT_TASK) -> Item:
        """Keep a file as an item that search does not find until somebody labels it."""
        if not path.is_file():
            raise UserError(f"{path} does not exist.", "Check the path.")
        return self.ws.add_media(modality_of(task).name, path, path.name, source=source, listed=False)

    def task_of_file(self, path: Path) -> Task:
        """The task of a file, for verbs that name none."""
        return task_of_file(path, self.settings)

    # Align, caption, search

    def align(self, item: Item, texts: Sequence[str], version: str | None = None) -> dict[str, Any]:
        """The JSON of `align`: how well each text fits, in the order given."""
        from mmdemo.retrieval.embed import load_medium

        texts = self._texts(texts)
        aligner = self.models.aligner(self.task_of(item), version or None)
        scores = aligner.align(load_medium(self.ws, aligner.towers.media, item), texts)
        return {"model": aligner.version, "scores": [vars(s) for s in scores]}

    @staticmethod
    def task_of(item: Item) -> Task:
        """The task of an item's modality."""
        return MODALITIES.get(item.modality).task

    def explain(
        self, item: Item, texts: Sequence[str], version: str | None = None
    ) -> tuple[str, Explanation]:
        """The version, and scores with heat maps."""
        from mmdemo.models.explain import explain

        aligner = self.models.aligner(DEFAULT_TASK, version or None)
        return aligner.version, explain(aligner, self.picture(item.id), self._texts(texts))

    @staticmethod
    def _texts(texts: Sequence[str]) -> list[str]:
        kept = [clean_text(text) for text in texts if text.strip()]
        if not kept:
            raise UserError("There is no caption to score.", "Write at least one.")
        if len(kept) > 200:
            raise UserError(f"There are {len(kept)} captions, over the limit of 200.", "Score fewer at once.")
        return kept

    def caption(self, item: Item, version: str | None = None) -> dict[str, Any]:
        """The JSON of `caption`: proposals, best first; of a recording, what is said; of a video, each
        shot.
        """
        if item.modality == "audio":
            return self.caption_recording(item, version)
        if item.modality == "video":
            return self.describe(item, version)
        from mmdemo.models.captioning.proposals import how_sure, propose_captions
        from mmdemo.retrieval.search import nearest_labelled_texts

        aligner = self.models.aligner(DEFAULT_TASK, version or None)
        picture, writer = self.picture(item.id), self.models.captioner()
        features = aligner.towers.media.encode([picture])
        vector = aligner.project_media(features)[0]
        labelled = nearest_labelled_texts(self.ws, aligner, vector, DEFAULT_TASK, 20)
        captions = propose_captions(
            aligner, features[0], labelled, written=writer.caption([picture]) if writer else ""
        )
        rows = [
            {
                "text": c.text,
                "score": c.score,
                "start": c.start,
                "end": c.end,
                "source": c.source,
                "sure": how_sure(c.score),
            }
            for c in captions
        ]
        return {"model": aligner.version, "captions": rows}

    def search(self, query: Query, task: Task = DEFAULT_TASK) -> Results:
        """The nearest items or texts."""
        return self.searcher_of(task).search(query)

    # Labels

    def next_pair(self, task: str, batch: str = "", holder: str = "api") -> dict[str, Any]:
        """The JSON of `/next_pair`."""
        found = self.queue_of(self.check_task(task)).next(1, holder, batch)
        if not found:
            return {"pair": None, "reason": "Every pair has its label. Import more in the Data tab."}
        return pair_json(*found[0])

    def label(self, pair: int, label: NewLabel) -> dict[str, Any]:
        """Record a label; the answer comes once it is on disk."""
        label_id = self.ws.labels.add(pair, label)
        self._queue_of_pair(pair).labelled(pair, label.verdict)
        return {"label": label_id, "saved": "disk", "pair": pair}

    def _queue_of_pair(self, pair: int) -> PairQueue:
        view = self.ws.pairs.get(pair)
        return self.queue_of(view.task if view else DEFAULT_TASK)

    def label_result(
        self,
        item: str,
        text: str,
        label: NewLabel,
        start_s: float | None = None,
        end_s: float | None = None,
    ) -> dict[str, Any]:
        """Record a label on an item with any text, such as a search result with the query."""
        known = self.item(item)
        task = self.task_of(known)
        label_id, pair = self.ws.labels.add_on(
            task, item, text, label, source=label.origin, start_s=start_s, end_s=end_s
        )
        self.queue_of(task).labelled(pair, label.verdict)
        if not known.listed:
            self.keeper_of(task).request()
        return {"label": label_id, "saved": "disk", "pair": pair}

    def undo(self, label: int, annotator: str = "", key: str | None = None) -> dict[str, Any]:
        """Take a label back."""
        undo_id = self.ws.labels.undo(label, annotator, key)
        pair = self.ws.labels.pair_of(label)
        if pair is not None:
            self._queue_of_pair(pair).returned(pair)
        return {"label": undo_id, "pair": pair}

    def label_counts(self, task: str) -> dict[str, int]:
        """The JSON of `/label_counts`."""
        self.check_task(task)
        return self.ws.labels.counts(task).as_json()

    # Data

    def import_data(
        self,
        source: str,
        task: str,
        verdict: str = "none",
        progress: Callable[[int, int | None], None] | None = None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> ImportReport:
        """Import a folder, a manifest or a data set."""
        self.check_task(task)
        return import_source(self.ws, source, task, verdict, progress, stopped)

    def export(self, task: str, format: str, out: Path | None = None) -> Exported:
        """Export the labels of a task."""
        self.check_task(task)
        out = out or Path(tempfile.mkdtemp(prefix="mmdemo-export-")) / f"{task}-{format}"
        return export_labels(self.ws, out, task, format)


def pair_json(pair: PairView, why: str = "") -> dict[str, Any]:
    """A pair as the API hands it out."""
    return {
        "pair": pair.id,
        "item": pair.item,
        "text": pair.text,
        "file": f"mmdemo/media/{pair.item}",
        "task": pair.task,
        "duration": pair.duration_s,
        "start": pair.start_s,
        "end": pair.end_s,
        "split": pair.split,
        "why": why,
    }
