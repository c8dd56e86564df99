"""How long the page takes in Chromium until its first tab is usable, beside a bare Gradio page.

python benchmarks/page_load.py
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from common import ROOT, TEXTBOX_PAGE, started
from playwright.sync_api import sync_playwright

REPEATS = 9
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]


def main() -> None:
    """Print both medians, their ratio, and the number of requests to other hosts."""
    path = os.environ.get("MMDEMO_CHROMIUM") or shutil.which("chromium")
    outside: list[str] = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        variables = {"MMDEMO_WORKSPACE": str(Path(folder) / "w"), "MMDEMO_DEVICE": "cpu"}
        ours = started([sys.executable, str(ROOT / "app.py")], variables)
        bare = started([sys.executable, "-c", TEXTBOX_PAGE], {})
        with ours as (our_address, _), bare as (bare_address, _):
            browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
            times: dict[str, list[float]] = {our_address: [], bare_address: []}
            warm = browser.new_page()
            warm.goto(our_address)
            warm.wait_for_selector(".mm-status .mm-dot.good", timeout=120_000)  # the model has been loaded
            warm.close()
            for turn in range(REPEATS + 1):
                for address, ready in ((our_address, ".mm-samples img"), (bare_address, "textarea")):
                    page = browser.new_context().new_page()  # nothing cached
                    page.on(
                        "request",
                        lambda r: (
                            None
                            if "127.0.0.1" in r.url or r.url.startswith("data:")
                            else outside.append(r.url)
                        ),
                    )
                    begun = time.perf_counter()
                    page.goto(address, wait_until="commit")
                    page.wait_for_selector(ready)
                    if turn:
                        times[address].append(time.perf_counter() - begun)
                    page.context.close()
            browser.close()
    a, b = statistics.median(times[bare_address]), statistics.median(times[our_address])
    print(f"bare page {a:.2f} s to its textbox, mmdemo {b:.2f} s to a usable first tab: ratio {b / a:.2f}")
    print(f"requests to other hosts: {len([u for u in outside if our_address in u or 'http' in u])}")


if __name__ == "__main__":
    main()
