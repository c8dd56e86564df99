"""How often a caption that claims 80 % is right, and how many pictures have one, as `caption` answers.

    python benchmarks/captions.py
    python benchmarks/captions.py --pictures FOLDER --judged FILE.csv

On the validation drawings, on which nothing was fitted, and on the photographs of assets, in a workspace
without labels; or on pictures of your own, of which the file says in its columns file_name, text and right
whether a caption is right. A caption counts as right where somebody who saw the picture said so; what nobody
has looked at counts as wrong, and is listed.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
from common import ROOT

from mmdemo.service.app import App
from mmdemo.settings import ASSETS, load_settings

CLAIMS = (0.8, 0.65, 0.5)
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


def judged(file: Path) -> dict[tuple[str, str], bool]:
    """By file and caption, whether it is right."""
    with file.open(encoding="utf-8") as f:
        return {(row["file_name"], row["text"]): row["right"] == "1" for row in csv.DictReader(f)}


def told(app: App, name: str, folder: Path, files: list[str], known: dict[tuple[str, str], bool]) -> None:
    """Print how many pictures have a caption that claims so much, and how many of those are right."""
    first, took = {}, []
    for file in files:
        kept, begun = app.media.keep(folder / file), perf_counter()
        captions = app.caption(kept)["captions"]
        took.append(perf_counter() - begun)
        if captions:
            first[file] = (captions[0]["text"], captions[0]["score"])
    for least in CLAIMS:
        claims = [(file, text) for file, (text, score) in first.items() if score >= least]
        for claim in claims:
            if claim not in known:
                print(f"not looked at: {claim}", file=sys.stderr)
        right = sum(known.get(claim, False) for claim in claims)
        share = f"{100 * right / len(claims):.0f} % right" if claims else "none"
        print(
            f"{name}: {len(claims)} of {len(files)} ({100 * len(claims) / len(files):.1f} %) have one that "
            f"claims {100 * least:.0f} %; {right} of {len(claims)}, {share}",
            flush=True,
        )
        if least == CLAIMS[0]:
            print("  wrong: ", [claim for claim in claims if not known.get(claim)])
    print(f"  median of {1000 * float(np.median(took)):.0f} ms a caption")


def main() -> None:
    """Measure both, or what is given."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--judged", type=Path, default=ASSETS / "judged_captions.csv")
    given = parser.parse_args()
    known = judged(given.judged)
    with tempfile.TemporaryDirectory() as folder:
        app = App(load_settings({}, workspace=Path(folder) / "w", samples=False, device="cpu"))
        if given.pictures:
            files = sorted(p.name for p in given.pictures.iterdir() if p.suffix.lower() in SUFFIXES)
            told(app, "given pictures", given.pictures, files, known)
        else:
            with (ASSETS / "clipart" / "metadata.csv").open(encoding="utf-8") as f:
                rows = [row for row in csv.DictReader(f) if row["split"] == "validation"]
            told(app, "drawings", ASSETS, [f"clipart/{row['file_name']}" for row in rows], known)
            photos = [f"photos/{p.name}" for p in sorted((ASSETS / "photos").glob("*.jpg"))]
            told(app, "photographs", ASSETS, photos, known)
        app.close()


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
