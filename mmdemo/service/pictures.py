"""What can be done with pictures: explain a score, propose captions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mmdemo.media.image import decode_image
from mmdemo.models.protocols import DEFAULT_TASK
from mmdemo.service.context import Context
from mmdemo.service.media import clean_captions
from mmdemo.store.tables import Item

if TYPE_CHECKING:
    from PIL import Image

    from mmdemo.models.explain import Explanation


class Pictures:
    """Pictures of an open workspace."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._ws = context.ws

    def picture(self, item: Item) -> Image.Image:
        """The decoded picture of an item."""
        return decode_image(self._ws.media_path(item), max_megapixels=self._ws.settings.max_megapixels)

    def explain(
        self, item: Item, texts: Sequence[str], version: str | None = None
    ) -> tuple[str, Explanation]:
        """The version, and scores with heat maps."""
        from mmdemo.models.explain import explain

        aligner = self._context.models.aligner(DEFAULT_TASK, version or None)
        return aligner.version, explain(aligner, self.picture(item), clean_captions(texts))

    def caption(self, item: Item, version: str | None = None) -> dict[str, Any]:
        """The JSON of `caption` for a picture: proposals, best first."""
        from mmdemo.models.captioning.proposals import how_sure, propose_captions
        from mmdemo.retrieval.search import nearest_labelled_texts

        aligner = self._context.models.aligner(DEFAULT_TASK, version or None)
        picture, writer = self.picture(item), self._context.models.captioner()
        features = aligner.media_features([picture])
        vector = aligner.project_media(features)[0]
        labelled = nearest_labelled_texts(self._ws, aligner, vector, DEFAULT_TASK, 20)
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
