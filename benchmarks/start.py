"""From the command to the page's answer, beside a Gradio page with one textbox; then to the first alignment.

python benchmarks/start.py
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from common import ROOT, TEXTBOX_PAGE, started

REPEATS = 3


def post(address: str, name: str, body: dict[str, object]) -> dict[str, object]:
    """Ask one of the page's actions."""
    request = urllib.request.Request(
        f"{address}mmdemo/api/{name}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        return dict(json.load(answer))


def main() -> None:
    """Print both times and their ratio."""
    bare, ours, first = [], [], []
    for turn in range(REPEATS + 1):
        with started([sys.executable, "-c", TEXTBOX_PAGE], {}) as (_, seconds):
            bare.append(seconds)
        with tempfile.TemporaryDirectory() as folder:
            variables = {"MMDEMO_WORKSPACE": str(Path(folder) / "w"), "MMDEMO_DEVICE": "cpu"}
            with started([sys.executable, str(ROOT / "app.py")], variables) as (address, seconds):
                ours.append(seconds)
                begun = time.perf_counter()
                sample = post(address, "start", {})["samples"][0]  # type: ignore[index]
                post(address, "align", {"item": sample["item"], "texts": ["a tabby cat", "a dog"]})
                first.append(time.perf_counter() - begun)
        if turn == 0:  # the first turn fills the disk's cache for both
            bare.clear(), ours.clear(), first.clear()
    a, b, c = (statistics.median(x) for x in (bare, ours, first))
    print(f"bare Gradio page {a:.2f} s, mmdemo with a new workspace {b:.2f} s: ratio {b / a:.2f}")
    print(f"first alignment {c:.2f} s after the page answered")


if __name__ == "__main__":
    main()
