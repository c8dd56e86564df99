"""Pictures that many have and that are not read here: what they are, by their first bytes, and what to do."""

from __future__ import annotations

import re

AT_ONCE = 32  # bytes that tell
CURE = "Use a JPEG, PNG, WebP, GIF, TIFF, BMP, AVIF or HEIC file."
# No decoder of these is among what mmdemo stands on, whose licence and care would do.
KINDS: tuple[tuple[re.Pattern[bytes], str, str], ...] = (
    (
        re.compile(rb"....ftyp(hei[cmsx]|hev[cmsx]|mif1|msf1)", re.DOTALL),
        "a HEIC picture that is damaged, or a sequence of them",
        "Export it as a JPEG.",
    ),
    (re.compile(rb"\xff\x0a|\0\0\0\x0cJXL "), "a JPEG XL picture", "Save it as a JPEG, PNG or AVIF."),
    (re.compile(rb"8BPS"), "a Photoshop document", "Export it as a PNG or JPEG."),
    (re.compile(rb"%PDF"), "a PDF", "Export its pages as PNGs."),
    (re.compile(rb"\s*<(\?xml|svg|!DOCTYPE svg)"), "a drawing in SVG", "Export it as a PNG."),
    (re.compile(rb"....ftypcrx ", re.DOTALL), "a raw picture of a camera", "Develop it, and export a JPEG."),
)


def what_it_is(head: bytes) -> tuple[str, str]:
    """What a file that is no readable picture is, and what to do; the first is empty where nobody knows."""
    found = ((what, cure) for begins, what, cure in KINDS if begins.match(head))
    return next(found, ("", CURE))
