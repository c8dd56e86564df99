"""Short videos of drawings, made in a moment: the samples that ship are twenty seconds long each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import av
from PIL import Image

from tests.conftest import drawing

SIZE, A_SECOND = (160, 120), 10  # pixels, and frames a second


def write_film(
    path: Path, names: Sequence[str | Path], each_s: float = 1.0, size: tuple[int, int] = SIZE
) -> Path:
    """A video without sound that shows drawings, or pictures, one after another, each for so many seconds."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=A_SECOND)
        assert isinstance(stream, av.VideoStream)
        (stream.width, stream.height), stream.pix_fmt = size, "yuv420p"
        for name in names:
            with Image.open(drawing(name) if isinstance(name, str) else name) as picture:
                shown = picture.convert("RGB").resize(size)
            for _ in range(round(each_s * A_SECOND)):
                out.mux(stream.encode(av.VideoFrame.from_image(shown)))
        out.mux(stream.encode(None))
    return path
