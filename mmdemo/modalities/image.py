"""Pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdemo.heavy_imports import lazy
from mmdemo.modality import MODALITIES, Facts, Modality
from mmdemo.settings import Settings

if TYPE_CHECKING:
    from PIL.Image import Image

    from mmdemo.store.tables import Item
    from mmdemo.store.workspace import Workspace

SUFFIXES = ".jpg .jpeg .png .webp .gif .bmp .tif .tiff .avif .ppm .pgm .jp2 .tga .jfif .heic .heif .hif"
TOLD = ".jxl"  # of pictures too, which are not read: whoever has one is told so
SHOWN_FIRST = (
    *("chelsea.jpg", "coffee.jpg", "rocket.jpg", "astronaut.jpg", "another_apple.jpg", "bicycle.jpg"),
    *("a_teapot.jpg", "frog.jpg", "hamburger.jpg", "tiger.jpg", "watermelon.jpg", "lighthouse.jpg"),
)
READ_PX = 960  # the longer side to which rapidocr shrinks a picture by itself


def describe(data: bytes | Path, settings: Settings) -> Facts:
    """Its size; decoded whole, so that a damaged file is refused at once."""
    from mmdemo.media.trial import probed

    facts = probed("image", data, settings.max_megapixels)
    return Facts(facts.suffix, width=facts.width, height=facts.height)


def decode(tower: Any, source: bytes | Path, settings: Settings | None) -> Image:
    """The picture, no larger than the tower needs."""
    from mmdemo.media.image import MAX_MEGAPIXELS, decode_image

    most = settings.max_megapixels if settings else MAX_MEGAPIXELS
    return decode_image(source, at_least_px=getattr(tower, "input_px", None), max_megapixels=most)


def draw(ws: Workspace, item: Item, side_px: int) -> Image:
    """The picture itself."""
    from mmdemo.media.image import decode_image

    path = ws.media_path(item)
    return decode_image(path, at_least_px=side_px, max_megapixels=ws.settings.max_megapixels)


def pictures(ws: Workspace, item: Item) -> list[Image]:
    """The picture, large enough to read in."""
    return [draw(ws, item, READ_PX)]


def not_looked_at(ws: Workspace, item: Item) -> str:
    """That only the first frame of an animation is seen."""
    from mmdemo.media.image import not_looked_at

    return not_looked_at(ws.media_path(item))


MODALITIES.add(
    "image",
    Modality(
        name="image",
        task="image-text",
        noun="picture",
        plural="pictures",
        title="Pictures",
        default_model="efficientnet-lite0-devise",
        model_setting="model",
        suffixes=frozenset([*SUFFIXES.split(), *TOLD.split()]),
        describe=describe,
        decode=decode,
        draw=draw,
        pictures=pictures,
        not_looked_at=not_looked_at,
        tab="image",
        shown_first=SHOWN_FIRST,
        media_types={
            ".jpg": "image/jpeg",
            ".png": "image/png",
            ".webp": "image/webp",
            ".gif": "image/gif",
            ".bmp": "image/bmp",
            ".avif": "image/avif",
        },
        sample=lambda tower: lazy("mmdemo.models.try_out:noise_picture")(),
        pair_dataset=lazy("mmdemo.training.trainables.pair_data:StillPairs"),
        caption=lambda app, item, version: app.pictures.caption(item, version),
        pipeline_tag="zero-shot-image-classification",
        known_as="image",
    ),
)
