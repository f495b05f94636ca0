"""How long a person waits: for the answer with its map painted, and for the first page after a start.

    python benchmarks/first_answer.py [--checkpoint DIR] [--pictures 30] [--starts 3]

One JSON line last:
  p50_ms, p95_ms     from choosing a photograph to the answer on the screen and its map fully drawn (headless Chromium)
  cold_start_ratio   start of `python app.py` to its first page, over the same for a bare Gradio page that imports
                     torch; medians, the two taking turns
  ready_s            from starting the process to the first answer on the screen, model and browser started meanwhile
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # runs from a clone, nothing needs to be installed

import numpy as np
from playwright.sync_api import Page, sync_playwright
from serving import Served, app_command, photographs, serving

BARE = """
import torch, gradio
with gradio.Blocks() as page:
    gradio.Markdown("bare")
page.launch(quiet=True)
"""
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
LISTEN = """
document.addEventListener("change", (event) => {
    if (event.target.type === "file") window.chosenAt = performance.now();
}, true);
"""
PAINTED = """(turn) => {
    const root = document.querySelector(".fg-classify");
    const stage = document.querySelector(".fg-classify .fg-stage");
    const done = root.dataset.state === "answered" && !root.hasAttribute("aria-busy")
        && stage.dataset.drawn === "map" && window.chosenAt > turn;
    return done ? performance.now() - window.chosenAt : false;
}"""


def wait_ms(page: Page, picture: Path) -> float:
    before = page.evaluate("performance.now()")
    page.locator(".fg-classify input[type=file]").set_input_files(picture)
    return page.wait_for_function(PAINTED, arg=before, timeout=60_000).json_value()


def answer_times_ms(served: Served, pictures: list[Path]) -> tuple[list[float], float]:
    """One visitor, one picture after the other: (times without the very first, seconds from the start to that one)."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.add_init_script(LISTEN)
        page.goto(served.url)
        page.wait_for_selector(".fg-classify[data-ready]", timeout=60_000)
        wait_ms(page, pictures[0])
        ready_s = time.perf_counter() - served.started
        times = [wait_ms(page, picture) for picture in pictures[1:]]
        browser.close()
    return times, ready_s


def cold_start_ratio(starts: int, checkpoint: Path | None) -> tuple[float, float]:
    """(ratio, seconds of our own start)."""
    bare, ours = [], []
    for _ in range(starts):
        for command, times in (([sys.executable, "-c", BARE], bare), (app_command(), ours)):
            with tempfile.TemporaryDirectory() as scratch, serving(command, Path(scratch), checkpoint) as served:
                times.append(served.start_s)
    return statistics.median(ours) / statistics.median(bare), statistics.median(ours)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--pictures", type=int, default=30)
    parser.add_argument("--starts", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        pictures = photographs(given.pictures + 1, Path(scratch))
        with serving(app_command(), Path(scratch), given.checkpoint) as served:
            times, ready_s = answer_times_ms(served, pictures)
    ratio, start_s = cold_start_ratio(given.starts, given.checkpoint)
    p50, p95 = np.percentile(times, [50, 95])
    print(
        json.dumps(
            {
                "p50_ms": round(float(p50)),
                "p95_ms": round(float(p95)),
                "cold_start_ratio": round(ratio, 2),
                "cold_start_s": round(start_s, 1),
                "ready_s": round(ready_s, 1),
                "pictures": len(times),
            }
        )
    )


if __name__ == "__main__":
    main()
