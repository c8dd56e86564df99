"""What the scripts share: the drawings with the default model's features, and starting a page."""

from __future__ import annotations

import contextlib
import csv
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mmdemo.evaluation.pair_arrays import BankArrays, PairArrays
from mmdemo.media.image import decode_image
from mmdemo.models.aligner import Towers
from mmdemo.models.find_model import find_preset
from mmdemo.models.load import load_towers
from mmdemo.retrieval.encode_stream import encode_stream
from mmdemo.settings import ASSETS, load_settings

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Clipart:
    """The 700 drawings of assets/clipart."""

    towers: Towers
    pairs: PairArrays
    train: np.ndarray  # row numbers
    validation: np.ndarray
    names: list[str]  # of the files
    titles: list[str]

    @property
    def measured(self) -> PairArrays:
        """The validation side, beside the train side by which hubs are known."""
        bank = BankArrays(self.pairs.features[self.train], self.pairs.texts[self.train])
        return replace(self.pairs.take(self.validation), bank=bank, grounds=self.towers.grounds)


def load_clipart(preset: str = "efficientnet-lite0-devise", root: Path = ASSETS / "clipart") -> Clipart:
    """Features and text vectors of all drawings of a folder, each a match of its own."""
    towers, _ = load_towers(find_preset(preset), load_settings({}, device="cpu"))
    with (root / "metadata.csv").open(encoding="utf-8") as f:
        rows = list(csv.DictReader(f))
    paths = [root / row["file_name"] for row in rows]
    features = np.concatenate([f for _, f in encode_stream(towers.media, decode_image, paths)])
    texts = towers.text.encode([row["text"] for row in rows])
    codes = np.arange(len(rows), dtype=np.int64)
    pairs = PairArrays(features, texts, np.ones(len(rows), bool), codes, codes)
    held_out = np.array([row["split"] == "validation" for row in rows])
    return Clipart(
        towers,
        pairs,
        np.flatnonzero(~held_out),
        np.flatnonzero(held_out),
        [p.name for p in paths],
        [row["text"] for row in rows],
    )


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@contextlib.contextmanager
def started(command: list[str], variables: dict[str, str]) -> Iterator[tuple[str, float]]:
    """A page in a process of its own; yields its address and the seconds until it answered."""
    with running(command, variables) as (_, address, seconds):
        yield address, seconds


@contextlib.contextmanager
def running(
    command: list[str], variables: dict[str, str]
) -> Iterator[tuple[subprocess.Popen[bytes], str, float]]:
    """The same, with the process."""
    port = free_port()
    variables = {"GRADIO_SERVER_PORT": str(port), "GRADIO_ANALYTICS_ENABLED": "False"} | variables
    begun = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=ROOT, env=os.environ | variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    address = f"http://127.0.0.1:{port}/"
    try:
        while True:
            try:
                urllib.request.urlopen(address, timeout=5).read()
                break
            except OSError:
                if process.poll() is not None or time.perf_counter() - begun > 120:
                    raise SystemExit(f"{command} did not start") from None
                time.sleep(0.02)
        yield process, address, time.perf_counter() - begun
    finally:
        process.terminate()
        process.wait(20)


TEXTBOX_PAGE = """
import gradio as gr
with gr.Blocks(analytics_enabled=False) as page:
    gr.Textbox(label="bare")
page.launch(server_name="127.0.0.1", run_history=False, ssr_mode=False, quiet=True)
"""
