"""From key press to the next pair painted, in Chromium, with 5,000 pairs in the queue.

python benchmarks/label_latency.py
"""

from __future__ import annotations

import io
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from common import ROOT, started
from PIL import Image
from playwright.sync_api import sync_playwright

from mmdemo.settings import ASSETS, load_settings
from mmdemo.store.workspace import Workspace

PAIRS, KEYS = 5000, 120
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
PRESS = """async (n) => {
  const times = [];
  const box = document.querySelector('#mm-label');
  const root = [box, ...box.querySelectorAll('*')].find((e) => 'pair' in e.dataset);
  for (let i = 0; i < n; i++) {
    const before = root.dataset.pair, begun = performance.now();
    document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'm', bubbles: true }));
    for (;;) {
      await new Promise(requestAnimationFrame);
      const image = root.querySelector('.mm-picture img'), pair = root.dataset.pair;
      if (pair && pair !== before && image && image.complete && image.naturalWidth) break;
    }
    await new Promise(requestAnimationFrame);  // the frame that shows it has been painted
    times.push(performance.now() - begun);
    await new Promise((done) => setTimeout(done, 120));
  }
  return times;
}"""


def main() -> None:
    """Print the median and the 95th percentile."""
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings({}, workspace=Path(folder) / "w", samples=False)
        ws = Workspace(settings)
        drawings = [
            Image.open(p).convert("RGB") for p in sorted((ASSETS / "clipart" / "images").glob("*.jpg"))
        ]
        for i in range(PAIRS):
            image = drawings[i % len(drawings)].copy()
            image.putpixel((0, 0), (i % 256, i // 256, 7))
            out = io.BytesIO()
            image.save(out, "JPEG", quality=80)
            item = ws.add_media("image", out.getvalue(), f"{i}.jpg", source="bench")
            with ws.database.write() as session:
                ws.pairs.add(session, "image-text", item.id, f"picture number {i}", source="bench")
        ws.close()
        variables = {
            "MMDEMO_WORKSPACE": str(settings.workspace),
            "MMDEMO_SAMPLES": "false",
            "MMDEMO_DEVICE": "cpu",
        }
        path = os.environ.get("MMDEMO_CHROMIUM") or shutil.which("chromium")
        with (
            started([sys.executable, str(ROOT / "app.py")], variables) as (address, _),
            sync_playwright() as playwright,
        ):
            browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
            page = browser.new_page()
            page.goto(f"{address}?view=label")
            # The 5,000 pictures are embedded behind the page; labelling is measured once that is done.
            page.wait_for_selector(".mm-status .mm-dot.good", timeout=120_000)
            page.wait_for_function(
                "() => !/embedding|indexing|before/.test(document.querySelector('.mm-status').textContent)",
                timeout=900_000,
            )
            page.wait_for_selector(".mm-picture img")
            page.evaluate(PRESS, 10)
            times = sorted(page.evaluate(PRESS, KEYS))
            browser.close()
    print(
        f"{PAIRS} pairs in the queue, {KEYS} keys: median {statistics.median(times):.0f} ms, "
        f"95th percentile {times[int(0.95 * len(times))]:.0f} ms from key press to the next pair painted"
    )


if __name__ == "__main__":
    main()
