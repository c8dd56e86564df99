"""How long a map of many items takes to lay out, and how many frames a second it is drawn in, in Chromium.

python benchmarks/map.py [--points 100000] [--only layout|frames]
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from common import ROOT, started
from playwright.sync_api import Route, sync_playwright

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
DIM, KINDS, SECONDS = 384, 40, 4
# The pointer drags the map, and the wheel zooms it, in each frame.
MOVES = """async (ms) => {
  const over = document.querySelector("[data-over]"), box = over.getBoundingClientRect(), gaps = [];
  document.querySelector("[data-lasso]").click();
  const at = (kind, x, y) => over.dispatchEvent(new PointerEvent(kind, { pointerId: 1, bubbles: true,
    clientX: box.left + x, clientY: box.top + y, button: 0, buttons: 1, pointerType: "mouse" }));
  over.setPointerCapture = () => {};
  at("pointerdown", 300, 300);
  const begun = performance.now();
  for (let last = begun, k = 0; last - begun < ms; k += 1) {
    const now = await new Promise(requestAnimationFrame);
    gaps.push(now - last);
    last = now;
    at("pointermove", 300 + 120 * Math.sin(k / 9), 300 + 90 * Math.cos(k / 7));
    if (k % 2) over.dispatchEvent(new WheelEvent("wheel", { deltaY: 60 * Math.sin(k / 20),
      clientX: box.left + 400, clientY: box.top + 300, cancelable: true }));
  }
  return gaps.slice(2);
}"""


def vectors_of(count: int) -> np.ndarray:
    """(N, D) float32 unit vectors of some kinds."""
    at_random = np.random.default_rng(0)
    centres = at_random.normal(size=(KINDS, DIM)).astype(np.float32)
    found = centres[at_random.integers(0, KINDS, count)]
    found = found + 1.2 * at_random.normal(size=(count, DIM)).astype(np.float32)
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), np.float32)


def layout(count: int) -> None:
    """Print how long a map takes from nothing, and how long the next version's, which goes on from it."""
    from mmdemo.retrieval.maps.projection import cores, first_places, laid_out

    vectors = vectors_of(count)
    times = []
    for work in (
        lambda: first_places(vectors),
        lambda: laid_out(vectors),
    ):
        begun = time.perf_counter()
        places = work()
        times.append(time.perf_counter() - begun)
    begun = time.perf_counter()
    laid_out(vectors + np.float32(0.001), places)
    times.append(time.perf_counter() - begun)
    first, whole, again = times
    print(
        f"{count} points on {cores()} of {os.cpu_count()} cores: first places {first:.1f} s, "
        f"laid out {whole:.0f} s, the next version's {again:.0f} s"
    )


def packed(values: np.ndarray) -> str:
    """As the page takes it."""
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()


def generated(count: int) -> dict[str, object]:
    """What the server would answer of a map of so many points."""
    at_random = np.random.default_rng(0)
    centres = at_random.random((KINDS, 2))
    which = at_random.integers(0, KINDS, count)
    places = np.clip(centres[which] + 0.03 * at_random.normal(size=(count, 2)), 0, 1).astype(np.float32)
    groups = [{"name": f"kind {k}", "x": x, "y": y, "items": 1} for k, (x, y) in enumerate(centres.tolist())]
    points = {
        "count": count,
        "ids": packed(at_random.integers(0, 256, (count, 32)).astype(np.uint8)),
        "places": packed(places),
        "groups": packed(which.astype(np.uint8)),
        "named": groups,
        "sources": ["generated"],
        "source": packed(np.zeros(count, np.uint16)),
    }
    answers = packed(at_random.choice(4, count, p=[0.1, 0.05, 0.02, 0.83]).astype(np.uint8))
    kinds = ["match", "mismatch", "unsure", "unlabelled"]
    state = {
        "state": "ready",
        "share": 0.0,
        "left_s": None,
        "model": "generated",
        "items": count,
        "error": "",
    }
    return {**state, "token": "one", "kinds": kinds, "answers": answers, "points": points}


def frames(count: int) -> None:
    """Print how many frames a second are drawn while the map is moved and zoomed."""
    path = os.environ.get("MMDEMO_CHROMIUM") or shutil.which("chromium")
    body = json.dumps(generated(count))

    def answer(route: Route) -> None:
        route.fulfill(content_type="application/json", body=body)

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        variables = {"MMDEMO_WORKSPACE": str(Path(folder) / "w"), "MMDEMO_DEVICE": "cpu"}
        with started([sys.executable, str(ROOT / "app.py")], variables) as (address, _):
            browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(address)
            page.wait_for_selector(".mm-status .mm-dot.good", timeout=120_000)  # nothing loads beside it
            page.route("**/mmdemo/api/map_points", answer)
            page.goto(f"{address}?view=map")
            page.wait_for_selector(".mm-map-group", timeout=60_000)
            gaps = page.evaluate(MOVES, 1000 * SECONDS)
            browser.close()
    slow = sorted(gaps)[int(0.95 * len(gaps))]
    print(
        f"{count} points: {1000 / statistics.mean(gaps):.0f} frames a second "
        f"(median {statistics.median(gaps):.0f} ms, 95 of 100 within {slow:.0f} ms)"
    )


def main() -> None:
    """Measure both, or one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--only", choices=("layout", "frames"))
    asked = parser.parse_args()
    for name, measure in (("layout", layout), ("frames", frames)):
        if asked.only in (None, name):
            measure(asked.points)


if __name__ == "__main__":
    main()
