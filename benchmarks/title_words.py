"""How often a drawing whose title holds a word is an answer to it, by where in the title the word stands.

python benchmarks/title_words.py [--wrong]

Of the titles of several words of assets/clipart; judged_title_words.csv says of which of their words somebody
who looks for it would agree; those in doubt are left out. `mmdemo/retrieval/by_words.py` has what came out.
`--wrong` lists what is no answer though the word is what the title names.
"""

from __future__ import annotations

import argparse
import csv

from common import ROOT

from mmdemo.retrieval.by_words import names

ASSETS = ROOT / "assets"


def main() -> None:
    """Print a line for each side and each place."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wrong", action="store_true")
    wanted = parser.parse_args()
    with (ASSETS / "clipart" / "metadata.csv").open(encoding="utf-8") as f:
        drawings = {f"clipart/{row['file_name']}": row for row in csv.DictReader(f)}
    with (ASSETS / "judged_title_words.csv").open(encoding="utf-8") as f:
        judged = [(drawings[row["file_name"]], row["text"], row["right"] == "1") for row in csv.DictReader(f)]
    for split in ("train", "validation"):
        for named, place in ((True, "named"), (False, "beside what is named")):
            here = [
                (drawing["text"], word, right)
                for drawing, word, right in judged
                if drawing["split"] == split and names(word, drawing["text"]) is named
            ]
            right = sum(one[2] for one in here)
            print(f"{split}, {place}: {right} of {len(here)} ({100 * right / len(here):.0f} %) are answers")
            if named and wanted.wrong:
                print("  not:", [(word, title) for title, word, is_right in here if not is_right])


if __name__ == "__main__":
    main()
