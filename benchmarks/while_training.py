"""How long somebody waits for an answer while a training runs on the same device, beside without one.

    python benchmarks/while_training.py

The default model aligns a picture with five captions, again and again: with nothing else, and while a CLIP of
27 million parameters is trained in full.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import common  # noqa: F401  puts the project on the path
import networks

from mmdemo.service.app import App
from mmdemo.settings import load_settings
from mmdemo.store.labels import NewLabel

ANSWERS = 40
TEXTS = ["a hen", "a red car", "a piano", "two people", "a wrench"]


def answer_ms(app: App) -> float:
    """The median time of an answer, in milliseconds."""
    items = app.ws.items.listed("image", limit=ANSWERS)
    took = []
    for item in items:
        begun = time.perf_counter()
        app.media.align(item, TEXTS, app.settings.model)
        took.append(1000 * (time.perf_counter() - begun))
        time.sleep(0.1)  # nobody asks without a pause
    return statistics.median(took)


def main() -> None:
    """Print the two medians."""
    workspace = Path(tempfile.mkdtemp(prefix="mmdemo-benchmark-"))
    app = App(load_settings({}, workspace=workspace, device="cpu"))
    train = [p for p in app.ws.pairs.browse("image-text", state="unlabelled") if p.split == "train"]
    for pair in train[:96]:
        app.ws.labels.add(pair.id, NewLabel("match"))
    app.media.align(app.ws.items.listed("image", limit=1)[0], TEXTS)
    alone = answer_ms(app)
    app.versions.choose_model("image-text", f"dual:{networks.save_clip(384, 8, 256, 4)}")
    run = app.training.start("image-text", "full", {"epochs": 200, "batch": 16}, "ask")
    while app.context.jobs.status(run)["epoch"] < 1:
        time.sleep(0.5)
    beside = answer_ms(app)
    app.context.jobs.stop(run)
    app.close()
    print(f"an answer: {alone:.0f} ms alone, {beside:.0f} ms beside a training: {beside / alone:.2f} times")


if __name__ == "__main__":
    main()
