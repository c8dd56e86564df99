"""How many labels the Label tab's order needs for the recall of random order, by a simulated annotator.

    python benchmarks/label_order.py [--clipart FOLDER] [--draws 6] [--labels 300]

A draw opens a workspace with the drawings, where a fifth of those to label have a second pair with another's
text, and the annotator, who knows the truth, labels 25 pairs at a time in the page's own order, the queue
made anew and the tuned version activated each time; or in random order. After each batch a head is trained
on the labels and measured on the validation drawings. The figure is the labels needed for the mean recall
that random order reaches at 100 and 200 labels, as a ratio, with its 95 % interval over draws.
"""

from __future__ import annotations

import argparse
import csv
import random
import shutil
import tempfile
from pathlib import Path

import numpy as np
from common import ROOT

from mmdemo.models.aligner import Towers
from mmdemo.service.app import App
from mmdemo.settings import load_settings
from mmdemo.store.labels import NewLabel
from mmdemo.store.leases import Screen
from mmdemo.store.splits import TRAIN
from mmdemo.store.tables import HARD_NEGATIVE
from mmdemo.training.config import TrainSettings
from mmdemo.training.runs import create_run
from mmdemo.training.worker import Worker

TASK, BATCH, WRONG = "image-text", 25, 0.2
AT = (100, 200)


def opened(folder: Path, towers: dict[str, Towers]) -> App:
    """The workspace in a folder."""
    return App(load_settings({}, workspace=folder, device="cpu", samples=False), towers)


def fill(app: App, root: Path) -> None:
    """The drawings: validation rows labelled and held out, train rows waiting for their label."""
    with (root / "metadata.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            item = app.ws.add_media(
                "image", (root / row["file_name"]).read_bytes(), row["file_name"], source="d"
            )
            with app.ws.database.write() as session:
                held_out = row["split"] == "validation"
                split = "held-out" if held_out else TRAIN
                pair, _ = app.ws.pairs.add(session, TASK, item.id, row["text"], source="true", split=split)
                if held_out:
                    app.ws.labels.add_in(session, pair, NewLabel("match"))
    app.context.keeper.update()


def spoil(app: App, rng: random.Random) -> None:
    """A fifth of the train pairs get a second one beside them, with another drawing's text."""
    train = [p for p in app.ws.pairs.browse(TASK) if p.split == TRAIN]
    chosen = rng.sample(train, int(WRONG * len(train)))
    with app.ws.database.write() as session:
        for pair, other in zip(chosen, chosen[1:] + chosen[:1], strict=True):
            app.ws.pairs.add(session, TASK, pair.item, other.text, source="wrong")


def curve(folder: Path, towers: dict[str, Towers], queued: bool, most: int, seed: int) -> list[float]:
    """Mean recall after each batch of labels."""
    app, rng, found = opened(folder, towers), random.Random(seed), []
    app.context.keeper.update()
    spoil(app, rng)
    queue = app.context.queue
    queue._ranking._random.seed(seed)
    while len(found) * BATCH < most:
        if queued:
            queue.make()
            pairs = [view for view, _ in queue.ask(BATCH, Screen.of("one", "annotator", None)).pairs]
        else:
            left = [p for p in app.ws.pairs.browse(TASK, state="waiting") if p.source != HARD_NEGATIVE]
            pairs = rng.sample(left, min(BATCH, len(left)))
        for pair in pairs:
            app.labels.add(pair.id, NewLabel("match" if pair.source == "true" else "mismatch"))
        run = create_run(app.ws, TASK, "head", TrainSettings(seed=seed), "never")
        done = Worker(app.ws, app.context.models).see_to(run)
        found.append(float((done.result or {})["after"]["mean_recall"]))
        app.versions.activate(str(done.version_id))
        app.context.keeper.update()
    app.close()
    return found


def needed(recall: list[float], wanted: float) -> float:
    """Labels with which a curve reaches a recall, between batches on a line; the curve made to rise only."""
    rising, labels = np.maximum.accumulate(recall), BATCH * np.arange(1, len(recall) + 1)
    return float(np.interp(wanted, rising, labels))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--clipart", type=Path, default=ROOT / "assets" / "clipart", help="a folder with metadata.csv"
    )
    parser.add_argument("--draws", type=int, default=6)
    parser.add_argument("--labels", type=int, default=300)
    options = parser.parse_args()
    towers: dict[str, Towers] = {}
    curves: dict[bool, list[list[float]]] = {True: [], False: []}
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole"
        app = opened(whole, towers)
        fill(app, options.clipart)
        app.close()
        for draw in range(options.draws):
            for queued in curves:
                own = Path(folder) / f"{draw}-{queued}"
                shutil.copytree(whole, own)
                curves[queued].append(curve(own, towers, queued, options.labels, draw))
                shutil.rmtree(own)
    page, chance = (np.array(curves[queued]) for queued in (True, False))  # (draws, batches)
    rng = np.random.default_rng(0)
    print("| recall of random order at | that recall | labels in the page's order, as a ratio (95 %) |")
    print("|---|---|---|")
    for labels in [at for at in AT if at <= options.labels]:
        drawn = [np.arange(len(page)), *rng.integers(0, len(page), (1000, len(page)))]
        ratios = []
        for which in drawn:
            wanted = float(chance[which].mean(0)[labels // BATCH - 1])
            ratios.append(needed(list(page[which].mean(0)), wanted) / labels)
        low, high = np.percentile(ratios[1:], [2.5, 97.5])
        recall = chance.mean(0)[labels // BATCH - 1]
        print(f"| {labels} labels | {recall:.1f} | {ratios[0]:.2f} ({low:.2f} to {high:.2f}) |")
    print(f"at {options.labels} labels: page {page.mean(0)[-1]:.1f}, random {chance.mean(0)[-1]:.1f}")


if __name__ == "__main__":
    main()
