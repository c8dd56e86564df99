"""How often a drawing whose title holds a word is an answer to it, by where in the title the word stands.

python benchmarks/title_words.py [--wrong] [--align]

Of the titles of several words of assets/clipart; judged_title_words.csv says of which of their words somebody
who looks for it would agree, and judged_names.csv of which names of classes whose last word alone names
others; those in doubt are left out. `mmdemo/retrieval/by_words.py` has what came out.
`--wrong` lists what is no answer though the word is what the title names; `--align` counts what would go, and
what would go wrongly, if a word counted only where Align gives it so much of its drawing.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from common import ROOT, load_clipart
from scipy.special import expit

from mmdemo.models.heads.residual import Projection
from mmdemo.models.judge import Judge
from mmdemo.retrieval.by_words import SURE, names, sure_of
from mmdemo.retrieval.compounds import is_another_thing, is_part_of_a_name
from mmdemo.store.words import PAIR, stems

ASSETS = ROOT / "assets"
NAMED = "named"
PLACES = (NAMED, "another thing's last word", "beside what is named", "part of a name")
LEAST = (0.02, 0.05, 0.1, 0.2)  # probabilities at one right text in five
Judged = list[
    tuple[dict[str, str], str, bool]
]  # the row of a drawing, a word of its title, whether it answers


def place_of(word: str, title: str) -> str:
    """Where a word stands in a title: one of PLACES."""
    sought = stems(word)
    if names(sought, title):
        return PLACES[1] if is_another_thing(sought, title) else NAMED
    return PLACES[3] if is_part_of_a_name(sought, title) else PLACES[2]


def by_align(judged: Judged) -> dict[tuple[str, str], float]:
    """The probability that Align gives a drawing, by its file, with a word."""
    art = load_clipart()
    assert art.towers.grounds.fit is not None
    judge = Judge(art.towers.grounds, Projection(art.pairs.texts.shape[1], None), art.towers.grounds.fit)
    words = sorted({word for _, word, _ in judged})
    said = expit(judge.log_odds(art.pairs.features, art.towers.text.encode([f"a {word}" for word in words])))
    rows = {name: row for row, name in enumerate(art.names)}
    files = {(drawing["file_name"], word) for drawing, word, _ in judged}
    return {(file, word): float(said[rows[Path(file).name], words.index(word)]) for file, word in files}


def told_by_align(here: Judged, said: dict[tuple[str, str], float]) -> str:
    """How many words stay below each least probability, and how many of those are answers all the same."""
    p = np.array([said[drawing["file_name"], word] for drawing, word, _ in here])
    right = np.array([is_right for _, _, is_right in here])
    return ", ".join(
        f"below {100 * least:.0f} %: {right[p < least].sum()} of {(p < least).sum()}" for least in LEAST
    )


def log_loss(judged: Judged, split: str) -> float:
    """Of what a search takes the words of a side's titles for."""
    here = [(drawing["text"], word, right) for drawing, word, right in judged if drawing["split"] == split]
    said = np.array([sure_of(stems(word), title, SURE[PAIR]) for title, word, _ in here])
    return float(-np.log(np.where([right for *_, right in here], said, 1 - said)).mean())


def main() -> None:
    """Print a line for each side and each place."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wrong", action="store_true")
    parser.add_argument("--align", action="store_true")
    wanted = parser.parse_args()
    with (ASSETS / "clipart" / "metadata.csv").open(encoding="utf-8") as f:
        drawings = {f"clipart/{row['file_name']}": row for row in csv.DictReader(f)}
    with (ASSETS / "judged_title_words.csv").open(encoding="utf-8") as f:
        judged: Judged = [
            (drawings[row["file_name"]], row["text"], row["right"] == "1") for row in csv.DictReader(f)
        ]
    said = by_align(judged) if wanted.align else {}
    for split in ("train", "validation"):
        for place in PLACES:
            here = [
                (drawing, word, right)
                for drawing, word, right in judged
                if drawing["split"] == split and place_of(word, drawing["text"]) == place
            ]
            right = sum(one[2] for one in here)
            print(f"{split}, {place}: {right} of {len(here)} are answers")
            if wanted.align:
                print("  of these are answers,", told_by_align(here, said))
            if place == NAMED and wanted.wrong:
                print("  not:", [(word, drawing["text"]) for drawing, word, is_right in here if not is_right])
        print(f"{split}, log loss: {log_loss(judged, split):.3f}")
    with (ASSETS / "judged_names.csv").open(encoding="utf-8") as f:
        told = [row["right"] == "1" for row in csv.DictReader(f)]
    print(f"names of classes that are another thing's last word: {sum(told)} of {len(told)} are answers")


if __name__ == "__main__":
    main()
