"""What can be done with pictures: explain a score, propose captions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mmdemo.errors import MediaError
from mmdemo.media.image import decode_image
from mmdemo.service.captions import CaptionCounts, answer
from mmdemo.service.context import Context
from mmdemo.service.media import Media, clean_captions
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
        """The decoded picture of an item.

        Raises:
            MediaError: it is no picture.
        """
        path = self._ws.media_path(item)
        try:
            return decode_image(path, max_megapixels=self._ws.settings.max_megapixels)
        except MediaError as e:
            raise MediaError(e.what.replace(path.name, item.name), e.cure) from e

    def explain(
        self, item: Item, texts: Sequence[str], version: str | None = None
    ) -> tuple[str, Explanation]:
        """The version, and scores with heat maps."""
        from mmdemo.models.explain import explain

        aligner = self._context.models.aligner(Media.task_of(item), version or None)
        return aligner.version, explain(aligner, self.picture(item), clean_captions(texts))

    def caption(self, item: Item, version: str | None = None) -> dict[str, Any]:
        """The JSON of `caption` for a picture: proposals, best first, or none and a sentence."""
        from mmdemo.models.captioning.proposals import LABELLED, propose_captions
        from mmdemo.retrieval.confirmed import ConfirmedTexts

        task = Media.task_of(item)
        aligner = self._context.models.aligner(task, version or None)
        picture, writer = self.picture(item), self._context.models.captioner()
        features = aligner.media_features([picture])
        known = ConfirmedTexts(self._ws, aligner, item.id).near(aligner.project_media(features)[0], LABELLED)
        written = writer.caption([picture]) if writer else ""
        captions = propose_captions(aligner, features[0], known, 5, written, lambda: picture)
        counts = CaptionCounts(self._ws, task)
        return answer(aligner.version, [counts.row(caption) for caption in captions])
