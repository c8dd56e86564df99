"""The picture of a link, as other sites show it beside the link: an item's picture, and words."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

SIZE = 1200, 630  # pixels, as these sites ask for
PAPER, INK, FAINT, ACCENT = "#faf9f6", "#1d1b16", "#676257", "#2b46c4"
MARGIN = 64
TITLE_PX, TEXT_PX, NAME_PX = 54, 34, 30
BOLD = 600  # on the axis of weights
MOST_LINES = 4  # of the title
# What the typefaces draw: Latin letters, and signs between them. Other texts stand beside the picture alone.
DRAWN = re.compile("[\u0020-\u007e\u00a0-\u00ff\u2013\u2014\u2018\u2019\u201c\u201d\u2026·]*")
SANS, SERIF = "instrument-sans-latin.woff2", "source-serif-4-latin.woff2"


def draw_card(name: str, title: str, texts: Sequence[str], picture: Image.Image | None, fonts: Path) -> bytes:
    """The picture as JPEG.

    Args:
        name: whose page it is.
        title: what the link is about.
        texts: what stands below it, as far as there is room.
        picture: fills the left half; None: the words have all of it.
        fonts: the folder of the typefaces.
    """
    card = Image.new("RGB", SIZE, PAPER)
    pen, left = ImageDraw.Draw(card), MARGIN
    if picture is not None:
        half = SIZE[0] // 2
        card.paste(ImageOps.fit(picture.convert("RGB"), (half, SIZE[1]), Image.Resampling.LANCZOS), (0, 0))
        left += half
    width, top = SIZE[0] - left - MARGIN, MARGIN
    pen.text((left, top), name, ACCENT, _font(fonts / SANS, NAME_PX, BOLD))
    top += 2 * NAME_PX
    for words, font, colour, most in (
        (title, _font(fonts / SANS, TITLE_PX, BOLD), INK, MOST_LINES),
        *((text, _font(fonts / SERIF, TEXT_PX), FAINT, 2) for text in texts),
    ):
        if not DRAWN.fullmatch(words):
            continue
        height = round(1.25 * font.size)
        for line in _lines(words, font, width)[:most]:
            if top + height > SIZE[1] - MARGIN:
                break
            pen.text((left, top), line, colour, font)
            top += height
        top += height // 2
    out = io.BytesIO()
    card.save(out, "JPEG", quality=85)
    return out.getvalue()


@lru_cache(maxsize=8)
def _font(path: Path, size_px: int, weight: int = 400) -> ImageFont.FreeTypeFont:
    font = ImageFont.truetype(path, size_px)
    font.set_variation_by_axes([weight])
    return font


def _lines(text: str, font: ImageFont.FreeTypeFont, width_px: int) -> list[str]:
    """The text in lines that are no wider; a word that is wider is cut."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width_px:
            lines[-1] = longer
            continue
        while font.getlength(word) > width_px:
            word = word[:-2] + "…" if len(word) > 2 else ""
        lines.append(word)
    return [line for line in lines if line]
