"""The pointing game: whether the brightest point of a heat map lies on the right drawing of two.

    python benchmarks/pointing.py [--pairs N]

Two validation drawings at a time are put side by side, and each is looked for by its title (Zhang et al.
2016, arXiv:1608.00507). Counted are all titles, those that the model says to fit the drawing by itself, and
those of which the map is lit at all, as the page shows it; and, for what can be reached, how often the model
holds the title likelier of its own drawing than of the other when it sees them one by one.
"""

from __future__ import annotations

import argparse

import numpy as np
from common import load_clipart
from PIL import Image

from mmdemo.media.image import decode_image
from mmdemo.models.aligner import HeadAligner
from mmdemo.models.explain import explain, where
from mmdemo.models.reliability import FITS
from mmdemo.settings import ASSETS

SIDE_PX = 320


def main() -> None:
    """Print the shares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=140)
    art = load_clipart()
    base = HeadAligner("base", "image-text", art.towers, None, art.towers.calibration)
    titles = art.titles
    order = np.random.default_rng(0).permutation(art.validation)
    right: dict[str, list[bool]] = {
        "all titles": [],
        "titles that fit their drawing": [],
        "lit maps": [],
        "drawings one by one": [],
    }
    for left, other in zip(order[0::2], order[1::2], strict=False):
        if len(right["all titles"]) >= 2 * parser.parse_args().pairs:
            break
        drawings = [decode_image(ASSETS / "clipart" / "images" / art.names[i]) for i in (left, other)]
        canvas = Image.new("RGB", (2 * SIDE_PX, SIDE_PX), "white")
        for column, drawing in enumerate(drawings):
            canvas.paste(drawing.resize((SIDE_PX, SIDE_PX)), (column * SIDE_PX, 0))
        texts = [titles[i] for i in (left, other)]
        maps, shown = where(base, canvas, texts), explain(base, canvas, texts).maps
        alone = base.probabilities(base.media_features(drawings), base.text_vectors(texts))
        for column, (drawing, text) in enumerate(zip(drawings, texts, strict=True)):
            right["drawings one by one"].append(bool(alone[:, column].argmax() == column))
            at = int(maps[column].argmax()) % maps.shape[2]
            hit = (at >= maps.shape[2] / 2) == bool(column)
            right["all titles"].append(hit)
            if base.align(drawing, [text])[0].zone == FITS:
                right["titles that fit their drawing"].append(hit)
            if shown[column].max() > 0:
                right["lit maps"].append(hit)
    for name, hits in right.items():
        print(f"{name}: {100 * np.mean(hits) if hits else float('nan'):.1f} % of {len(hits)}")


if __name__ == "__main__":
    main()
