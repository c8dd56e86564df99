"""What a first visit transfers, how long each view takes to open, and how much of the page moves meanwhile.

    python benchmarks/views.py [--width 1360]

A view has opened when a frame is painted in which its panel shows something and nothing of it waits for the
server any more; the visit before has put what is fetched once into the browser's cache. The layout shift is
the browser's own (web.dev/articles/cls): the worst five seconds of the first visit, and of the walk through
the views, without what moves within half a second of a press.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from common import ROOT, started
from playwright.sync_api import Page, sync_playwright

REPEATS = 5
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
SHIFTS = """
  window.shifts = [];
  new PerformanceObserver((list) => {
    for (const e of list.getEntries()) if (!e.hadRecentInput) shifts.push([e.startTime, e.value]);
  }).observe({ type: "layout-shift", buffered: true });
"""
# The greatest sum over a window of at most five seconds, whose shifts are less than a second apart.
CLS = """() => {
  let worst = 0, sum = 0, first = -1e9, last = -1e9;
  for (const [at, value] of shifts) {
    if (at - last > 1000 || at - first > 5000) [sum, first] = [0, at];
    [sum, last] = [sum + value, at];
    worst = Math.max(worst, sum);
  }
  return worst;
}"""
OPEN = """async (name) => {
  const tab = [...document.querySelectorAll("[role=tab]")].find((t) => t.textContent.trim() === name);
  const panel = () => [...document.querySelectorAll(".tabitem")].find((p) => p.checkVisibility());
  const before = panel(), begun = performance.now();
  tab.click();
  for (;;) {
    await new Promise(requestAnimationFrame);
    const now = panel(), height = now?.getBoundingClientRect().height;
    if (now && now !== before && height > 100 && !now.querySelector("[aria-busy=true]")) break;
    if (performance.now() - begun > 20000) throw new Error(`${name} did not open`);
  }
  await new Promise(requestAnimationFrame);  // the frame that shows it has been painted
  return performance.now() - begun;
}"""


def transferred(page: Page) -> list[int]:
    """A list that grows by the bytes, as they were packed on the way, of each response."""
    sizes: list[int] = []
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.on("Network.loadingFinished", lambda e: sizes.append(int(e["encodedDataLength"])))
    return sizes


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=1360)
    width = parser.parse_args().width
    path = os.environ.get("MMDEMO_CHROMIUM") or shutil.which("chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        variables = {"MMDEMO_WORKSPACE": str(Path(folder) / "w"), "MMDEMO_DEVICE": "cpu"}
        with started([sys.executable, str(ROOT / "app.py")], variables) as (address, _):
            browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
            warm = browser.new_page()
            warm.goto(address)
            warm.wait_for_selector(".mm-status .mm-dot.good", timeout=120_000)
            warm.close()

            context = browser.new_context(viewport={"width": width, "height": 900})
            context.add_init_script(SHIFTS)
            page = context.new_page()
            sizes = transferred(page)
            page.goto(address)
            page.wait_for_selector("[data-score] .mm-number")
            page.wait_for_load_state("networkidle")
            print(f"first visit: {sum(sizes) / 1000:.0f} kB in {len(sizes)} responses")
            print(f"layout shift of the first visit: {page.evaluate(CLS):.3f}")

            tabs = page.locator(".tab-container [role=tab]").all_text_contents()
            names = list(dict.fromkeys(name.strip() for name in tabs))
            times: dict[str, list[float]] = {name: [] for name in names}
            for turn in range(REPEATS + 1):
                for name in [*names[1:], names[0]]:
                    took = page.evaluate(OPEN, name)
                    page.wait_for_load_state("networkidle")
                    if turn:
                        times[name].append(took)
            for name, took in times.items():
                print(f"{name}: {statistics.median(took):.0f} ms, {max(took):.0f} ms at most")
            print(f"layout shift of the walk through the views: {page.evaluate(CLS):.3f}")
            browser.close()


if __name__ == "__main__":
    main()
