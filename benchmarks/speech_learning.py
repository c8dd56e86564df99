"""What labelling recordings with names and jargon brings: held-out retrieval before and after.

    python benchmarks/speech_learning.py
    python benchmarks/speech_learning.py --model hub-whisper-tiny-en --method lora

assets/speech/names.csv: 24 names and terms that Whisper tiny.en spells in its own way, each in three
sentences to train on and three others to measure on. 60 of the 72 train pairs are labelled as matches, as a
person would in the Label tab, in the same store; then the head is trained and compared with the base version.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from common import ROOT  # noqa: F401  sets the path to mmdemo

from assets.sounds import spoken_set, wav_bytes
from mmdemo.service.app import App
from mmdemo.settings import load_settings
from mmdemo.store.labels import NewLabel
from mmdemo.training.config import TrainSettings
from mmdemo.training.runs import create_run
from mmdemo.training.worker import Worker

LABELS = 60
TASK = "speech-text"


def main() -> None:
    """Print the table of before and after with intervals."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="whisper-tiny-en-minilm", help="a preset, or whisper:FOLDER")
    parser.add_argument("--method", default="head", choices=("head", "lora"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        flags = {"workspace": Path(folder), "samples": False, "speech_model": options.model}
        app = App(load_settings({}, device="cpu", **flags))
        labelled = 0
        for row, samples in spoken_set("names"):
            if row["split"] == "train" and labelled == LABELS:
                continue
            labelled += row["split"] == "train"
            item = app.ws.add_media("audio", wav_bytes(samples), f"{row['text'][:40]}.wav", source="names")
            with app.ws.database.write() as session:
                pair, _ = app.ws.pairs.add(
                    session, TASK, item.id, row["text"], source="names", split=row["split"]
                )
                app.ws.labels.add_in(session, pair, NewLabel("match"))
        run_id = create_run(app.ws, TASK, options.method, TrainSettings(), "when-better")
        run = Worker(app.ws, app.models).see_to(run_id)
        result = run.result or {}
        print(f"{labelled} labels, {result['before']['pairs']} held-out pairs, {run.status}, {run.decision}")
        for side in ("text_to_media", "media_to_text"):
            for name in ("R@1", "R@5", "R@10"):
                before, after, gain = (result[k][side][name] for k in ("before", "after", "gains"))
                print(
                    f"{side} {name}: {before:.1f} -> {after:.1f}, "
                    f"{gain['gain']:+.1f} (95 % {gain['low']:+.1f} to {gain['high']:+.1f})"
                )
        print("mean recall", result["gains"]["mean_recall"])
        rates = (app.ws.runs.get(run_id).result or {}).get("transcripts", {})
        for name, rate in rates.items():
            print(name, rate)
        app.close()


if __name__ == "__main__":
    main()
