"""What ticks and crosses on a query's first answers do to its other right answers, without training.

    python benchmarks/ticks.py

The 700 drawings of assets/clipart in a workspace, without their titles, so that words find nothing. The
queries are their categories and the words that at least five titles hold, and every drawing of a category, or
with the word, is a right answer. The five best answers are ticked or crossed as they are right or wrong, by
the labels that the page would record, and the query is asked again. MRR@10 is that of the first right answer
among those that nobody has judged, before and after; the interval is a paired bootstrap over queries.
"""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path

import numpy as np
from common import ROOT  # noqa: F401  sets the path to mmdemo

from mmdemo.evaluation.comparison import paired_bootstrap
from mmdemo.retrieval.query import MAX_K, Query
from mmdemo.service.app import App
from mmdemo.settings import ASSETS, load_settings
from mmdemo.store.labels import NewLabel
from mmdemo.store.words import SMALL_WORDS

JUDGED = 5
FIRST = 10
LEAST = 5  # right answers of a query


def queries_of(rows: list[dict[str, str]]) -> dict[str, set[str]]:
    """The files that answer each query."""
    found: dict[str, set[str]] = {}
    for row in rows:
        words = {word for word in row["text"].casefold().split() if len(word) > 2 and word.isalpha()}
        for query in {row["category"].replace("_", " "), *(words - SMALL_WORDS)}:
            found.setdefault(query, set()).add(Path(row["file_name"]).name)
    return {query: files for query, files in sorted(found.items()) if len(files) >= LEAST}


def reciprocal(names: list[str], right: set[str]) -> float:
    """Of the first right answer among the first ten; 0 where there is none."""
    return next((1.0 / (i + 1) for i, name in enumerate(names[:FIRST]) if name in right), 0.0)


def main() -> None:
    """Print both figures, the gain and its interval."""
    with (ASSETS / "clipart" / "metadata.csv").open(encoding="utf-8") as f:
        rows = list(csv.DictReader(f))
    with tempfile.TemporaryDirectory() as folder:
        app = App(load_settings({}, workspace=Path(folder) / "w", samples=False, device="cpu"))
        for row in rows:
            path = ASSETS / "clipart" / row["file_name"]
            app.ws.add_media("image", path, path.name, source="benchmark")
        app.context.keeper.update()
        before, after = [], []
        queries = queries_of(rows)
        for query, right in queries.items():
            asked = Query(text=query, k=MAX_K, everything=True)
            first = app.media.search(asked).results
            for rank, result in enumerate(first[:JUDGED], 1):
                verdict = "match" if result.name in right else "mismatch"
                label = NewLabel(verdict, origin="search", query=query, rank=rank)
                app.labels.add_on(result.item, query, label)
            judged = {result.item for result in first[:JUDGED]}
            before.append(reciprocal([r.name for r in first[JUDGED:]], right))
            again = app.media.search(asked).results
            after.append(reciprocal([r.name for r in again if r.item not in judged], right))
        app.close()
    old, new = np.array(before), np.array(after)
    gain = paired_bootstrap(old, new)
    print(f"{len(queries)} queries: {', '.join(queries)}")
    print(
        f"MRR@10 of the other right answers {100 * old.mean():.1f} -> {100 * new.mean():.1f}: "
        f"{gain.gain:+.1f} points (95 % {gain.low:+.1f} to {gain.high:+.1f})"
    )


if __name__ == "__main__":
    main()
