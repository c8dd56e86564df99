"""Colours as they are meant: by the ICC profile of a file to sRGB, and whatever mode they come in to RGB."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageCms

from mmdemo.media.deep_pixels import is_deep
from mmdemo.media.told_rarely import ToldRarely

SAME = 2  # by how much of 255 a profile may change a colour that is left as it is
SPACE_OF_MODE = {"CMYK": "CMYK", "LAB": "Lab "}

TOLD = ToldRarely(logging.getLogger(__name__))

ToRgb = Callable[[Image.Image], Image.Image]


def to_rgb(image: Image.Image) -> ToRgb:
    """How parts of a picture become RGB, what is transparent on white.

    Args:
        image: the picture, decoded.
    """
    meant = _by_profile(image)

    def converted(part: Image.Image) -> Image.Image:
        if not part.has_transparency_data:
            return meant(part)
        layer = part.convert("RGBA")
        white = Image.new("RGB", layer.size, "white")
        return Image.composite(meant(layer.convert("RGB")), white, layer.getchannel("A"))

    return converted


def _by_profile(image: Image.Image) -> ToRgb:
    """The same for what has no transparency."""
    profile = image.info.get("icc_profile")
    if not profile and image.mode != "LAB":
        return _plain
    try:
        given = ImageCms.ImageCmsProfile(io.BytesIO(profile) if profile else ImageCms.createProfile("LAB"))
        mode = _mode_for(image.mode, given.profile.xcolor_space)
        if mode is None:
            return _plain
        change = ImageCms.buildTransform(
            given,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        if mode == "RGB" and _changes_nothing(change):
            return _plain
    except Exception as e:  # profiles of other programs' making fail in every way: the picture can be seen
        TOLD.tell(logging.INFO, f"A colour profile cannot be used: {type(e).__name__}")
        return _plain

    def changed(part: Image.Image) -> Image.Image:
        shown = ImageCms.applyTransform(part if part.mode == mode else part.convert(mode), change)
        assert shown is not None  # it is only where the part itself is changed
        return shown

    return changed


def _plain(part: Image.Image) -> Image.Image:
    return part.convert("RGB")


def _mode_for(mode: str, space: str) -> str | None:
    """The mode in which a profile takes a picture; None: it is not for pictures of this kind."""
    if space == "GRAY" and (is_deep(mode) or mode in {"1", "L", "LA", "La"}):
        return "L"
    if mode in {"CMYK", "LAB"}:
        return mode if SPACE_OF_MODE[mode] == space else None
    return "RGB" if space == "RGB " else None


def _changes_nothing(change: ImageCms.ImageCmsTransform) -> bool:
    """Whether colours stay as they are, as by the many profiles that are sRGB's: it takes no time then."""
    levels = np.array([0, 64, 128, 192, 255], np.uint8)
    colours = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(1, -1, 3)
    after = ImageCms.applyTransform(Image.fromarray(colours), change)
    assert after is not None
    return int(np.abs(np.asarray(after).astype(int) - colours).max()) <= SAME
