"""Search among 1,000,000 vectors of 384 numbers, results looked up, beside bare FAISS on the same vectors.

python benchmarks/search.py [--rows 1000000]
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from common import load_clipart  # noqa: F401  sets the path to mmdemo

from mmdemo.retrieval.embed import feature_file, version_file
from mmdemo.retrieval.index import VectorIndex
from mmdemo.retrieval.query import Query
from mmdemo.retrieval.serving import Serving
from mmdemo.service.app import App
from mmdemo.settings import load_settings
from mmdemo.store.tables import Item

QUERIES = 30


def main() -> None:
    """Print both medians, their ratio, and the memory."""
    import faiss

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        app = App(load_settings({}, workspace=Path(folder) / "w", device="cpu"))
        aligner = app.models.aligner("image-text")
        app.context.keeper.update()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        file, features = version_file(app.ws, aligner), feature_file(app.ws, aligner.towers)
        rng = np.random.default_rng(0)
        made = len(file)
        while made < rows:
            count = min(50_000, rows - made)
            part = rng.normal(size=(count, 384)).astype(np.float32)
            part /= np.linalg.norm(part, axis=1, keepdims=True)
            ids = [f"{made + i:064x}" for i in range(count)]
            file.append(ids, part)
            features.append(ids, rng.random((count, features.dim), np.float32))
            with app.ws.database.write() as session:
                session.bulk_insert_mappings(
                    Item.__mapper__,
                    [
                        {
                            "id": i,
                            "modality": "image",
                            "name": "x",
                            "suffix": ".jpg",
                            "source": "s",
                            "bytes": 1,
                            "listed": True,
                        }
                        for i in ids
                    ],
                )
            made += count
        serving = Serving(aligner, VectorIndex(file.matrix()))
        app.context.keeper._serving = serving  # what `update` would make, if there were files behind the rows
        serving.index.search(
            np.ones((1, 384), np.float32), 10
        )  # as a first search: now the file is in memory
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6 - before
        bare = faiss.IndexFlatIP(384)
        for start in range(0, rows, 65_536):
            bare.add(np.ascontiguousarray(file.matrix()[start : start + 65_536]))
        app.media.search(Query(text="the first one"))
        words = [f"a picture of number {i}" for i in range(QUERIES)]
        vectors = aligner.encode_text(words)
        ours, theirs = [], []
        for i in range(QUERIES):
            begun = time.perf_counter()
            bare.search(vectors[i : i + 1], 10)
            theirs.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            found = app.media.search(Query(text=words[i], k=10, everything=True))
            ours.append(time.perf_counter() - begun)
            assert len(found.results) == 10
        a, b = statistics.median(theirs), statistics.median(ours)
        print(
            f"{rows:,} x 384: bare FAISS {1000 * a:.0f} ms, mmdemo with its results {1000 * b:.0f} ms, "
            f"ratio {b / a:.2f}"
        )
        print(f"memory: {grown:.2f} GB more than with the samples alone, the memory-mapped file included")


if __name__ == "__main__":
    main()
