"""Pairs a second of contrastive training, beside sentence-transformers' trainer on the same towers and data.

    python benchmarks/contrastive_speed.py

Both read the drawings of assets/ from files, prepare them, and train every weight of the same CLIP with
in-batch negatives in both directions for an epoch (theirs: MultipleNegativesRankingLoss). Turns alternate;
neither writes check-points; the ratio is of the medians.
"""

from __future__ import annotations

import csv
import os
import statistics
import tempfile
import time
import warnings
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import common  # noqa: F401  puts the project on the path
import networks

from mmdemo.labeling.snapshot import take_snapshot
from mmdemo.models.device import decide_compute
from mmdemo.models.encoders.dual import DualEncoder
from mmdemo.service.app import App
from mmdemo.settings import ASSETS, load_settings
from mmdemo.store.labels import NewLabel
from mmdemo.training.config import TrainSettings
from mmdemo.training.trainables.encoders import PairLearning
from mmdemo.training.trainables.pair_data import PairSource, pair_dataset
from mmdemo.training.trainer import Trainer

BATCH, PAIRS, TURNS = 32, 416, 3
CPU = decide_compute("cpu")
IMAGES = ASSETS / "clipart" / "images"


def drawings() -> list[tuple[Path, str]]:
    """Files and titles."""
    with (ASSETS / "clipart" / "metadata.csv").open(encoding="utf-8") as f:
        rows = [row for row in csv.DictReader(f) if row["split"] == "train"]
    return [(ASSETS / "clipart" / row["file_name"], row["text"]) for row in rows][:PAIRS]


def own(folder: Path, app: App) -> float:
    """Pairs a second of mmdemo's loop."""
    encoder = DualEncoder(str(folder), CPU)
    encoder.network.requires_grad_(True)
    settings = TrainSettings(epochs=1, batch=BATCH, learning_rate=1e-5)
    examples = take_snapshot(app.ws, "image-text").examples
    learning = PairLearning(
        encoder, PairSource(pair_dataset(app.ws, encoder, "image-text", examples)), settings
    )
    training = Trainer(learning, settings, "full", CPU)
    begun = time.perf_counter()
    list(training.epochs())
    return len(examples) // BATCH * BATCH / (time.perf_counter() - begun)


def theirs(folder: Path, rows: list[tuple[Path, str]]) -> float:
    """Pairs a second of sentence-transformers."""
    from datasets import Dataset, Image
    from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
    from sentence_transformers import SentenceTransformerTrainingArguments as Arguments
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    model = SentenceTransformer(str(folder), device="cpu")
    columns = {"image": [str(path) for path, _ in rows], "text": [text for _, text in rows]}
    data = Dataset.from_dict(columns).cast_column("image", Image())
    with tempfile.TemporaryDirectory() as out:
        arguments = Arguments(
            output_dir=out,
            num_train_epochs=1,
            per_device_train_batch_size=BATCH,
            learning_rate=1e-5,
            warmup_steps=0.1,
            weight_decay=0.1,
            use_cpu=True,
            report_to=[],
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
            dataloader_drop_last=True,
        )
        loss = MultipleNegativesRankingLoss(
            model, directions=("query_to_doc", "doc_to_query"), partition_mode="per_direction"
        )
        trainer = SentenceTransformerTrainer(model=model, args=arguments, train_dataset=data, loss=loss)
        begun = time.perf_counter()
        trainer.train()
        return len(rows) // BATCH * BATCH / (time.perf_counter() - begun)


def main() -> None:
    """Print the medians and the ratio."""
    warnings.filterwarnings("ignore")
    folder, rows = networks.save_clip(384, 8, 256, 4), drawings()
    workspace = Path(tempfile.mkdtemp(prefix="mmdemo-benchmark-"))
    app = App(load_settings({}, workspace=workspace, samples=False, device="cpu"))
    for path, text in rows:
        item = app.ws.add_media("image", path.read_bytes(), path.name, source="benchmark")
        with app.ws.database.write() as session:
            pair, _ = app.ws.pairs.add(
                session, "image-text", item.id, text, source="benchmark", split="train"
            )
            app.ws.labels.add_in(session, pair, NewLabel("match"))
    rates: dict[str, list[float]] = {"own": [], "theirs": []}
    for turn in range(TURNS):
        for name in ("own", "theirs")[:: 1 if turn % 2 else -1]:
            rates[name].append(own(folder, app) if name == "own" else theirs(folder, rows))
            print(name, f"{rates[name][-1]:.1f} pairs/s", flush=True)
    one, two = statistics.median(rates["own"]), statistics.median(rates["theirs"])
    print(f"mmdemo {one:.1f}, sentence-transformers {two:.1f} pairs a second: {one / two:.2f} times")
    app.close()


if __name__ == "__main__":
    main()
