"""Which of 68 words was said, and which recording says a word, by what a person gets: evaluate and search.

    python benchmarks/speech_ranking.py [--voice slt]

assets/speech/words.csv: 68 single words in six synthetic voices. Each voice is a workspace of its own, whose
68 recordings are held-out matches. `evaluate` ranks the words for each recording and the recordings for each
word; then each word is searched for, without looking in the texts that people gave, as those are the answers,
and each recording is searched by. The last line is a search in the sample collection: the median of eight
queries that were never asked for before, once its recordings have been heard.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from common import ROOT  # noqa: F401  sets the path to mmdemo

from assets.sounds import spoken_set, wav_bytes
from mmdemo.models.aligner import Towers
from mmdemo.retrieval.query import Query
from mmdemo.service.app import App
from mmdemo.settings import load_settings
from mmdemo.store.labels import NewLabel

TASK = "speech-text"
ASKED = (
    "a dog in the garden",
    "snow",
    "who is late",
    "the old bridge",
    "a map",
    "some music",
    "rain",
    "water",
)


def ranked(folder: Path, rows: list[tuple[str, np.ndarray]], loaded: dict[str, Towers]) -> list[float]:
    """Percent right at rank 1: speech to text and text to speech by `evaluate`, then by search."""
    app = App(load_settings({}, workspace=folder, samples=False, device="cpu"), loaded)
    text_of = {}
    for number, (text, samples) in enumerate(rows):
        item = app.ws.add_media("audio", wav_bytes(samples), f"{number:02d}.wav", source="benchmark")
        with app.ws.database.write() as session:
            pair, _ = app.ws.pairs.add(session, TASK, item.id, text, source="benchmark", split="held-out")
            app.ws.labels.add_in(session, pair, NewLabel("match"))
        text_of[item.id] = text
    app.context.keeper_of(TASK).update()
    measured = app.media.evaluate(TASK)
    assert measured["pairs"] == len(text_of)
    said = found = 0
    for item, text in text_of.items():
        by_voice = app.media.search(Query(item=item, target="text", k=1, everything=True), TASK)
        by_words = app.media.search(Query(text=text, k=1, everything=True, given=False), TASK)
        said += by_voice.results[0].text == text
        found += by_words.results[0].item == item
    app.close()
    own = [measured[side]["R@1"] for side in ("media_to_text", "text_to_media")]
    return [*own, 100 * said / len(text_of), 100 * found / len(text_of)]


def seconds_a_query(folder: Path, loaded: dict[str, Towers]) -> tuple[float, int]:
    """The median time of a query that was never asked for before, and among how many recordings."""
    app = App(load_settings({}, workspace=folder, device="cpu"), loaded)
    app.context.keeper_of(TASK).update()
    app.media.search(Query(text="the first hears all of them"), TASK)
    times = []
    for words in ASKED:
        begun = time.perf_counter()
        app.media.search(Query(text=words), TASK)
        times.append(time.perf_counter() - begun)
    count = app.ws.items.count("audio")
    app.close()
    return float(np.median(times)), count


def main() -> None:
    """Print one row a voice, the mean, and the time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--voice", default="", help="only this one")
    only = parser.parse_args().voice
    by_voice: dict[str, list[tuple[str, np.ndarray]]] = {}
    for row, samples in spoken_set("words"):
        if only in {"", row["voice"]}:
            by_voice.setdefault(row["voice"], []).append((row["text"], samples))
    loaded: dict[str, Towers] = {}
    table = []
    print(
        "R@1            evaluate: speech->text  text->speech   search: speech->text  text->speech", flush=True
    )
    with tempfile.TemporaryDirectory() as folder:
        for voice, rows in by_voice.items():
            table.append(ranked(Path(folder) / voice, rows, loaded))
            print("{:14s} {:22.1f} {:13.1f} {:22.1f} {:13.1f}".format(voice, *table[-1]), flush=True)
        print("{:14s} {:22.1f} {:13.1f} {:22.1f} {:13.1f}".format("mean", *np.mean(table, axis=0)))
        median, count = seconds_a_query(Path(folder) / "samples", loaded)
    print(f"a search among {count} recordings: median {median:.2f} s")


if __name__ == "__main__":
    main()
