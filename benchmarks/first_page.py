"""How long the first page takes over a slow line, and what it is made of.

    python benchmarks/first_page.py [--kilobytes 50] [--latency-ms 400] [--times 3] [--list]

`python app.py` with the bundled checkpoint, the page in headless Chromium whose network is slowed down (Chromium's own
emulation), nothing in its cache. `--list` prints each request of the first time. One JSON line last, medians:

  requests           until the first button can be pressed, and `requests_all` until the page rests
  kilobytes          that came over the line until then, and `kilobytes_all`
  text_s             from asking for the page until its heading is on the screen
  button_s           until the first button does what it says
  again_s            the same for somebody who was here before, whose browser keeps what may be kept
  of_gradio, ours    requests of `requests_all` by whose they are
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # runs from a clone, nothing needs to be installed

from playwright.sync_api import Browser, Page, sync_playwright
from serving import app_command, serving

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
PATIENCE_MS = 120_000
WATCH = """
window.textAt = null;
const look = () => {
    const heading = document.querySelector(".fg-welcome h1");
    if (heading?.getBoundingClientRect().height && getComputedStyle(heading).visibility === "visible") {
        window.textAt = performance.now();
    } else requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""
READY = """() => {
    const root = document.querySelector('.fg-classify[data-ready="true"]');
    return root?.getBoundingClientRect().height ? performance.now() : null;
}"""
OURS = ("/fgdemo/", "/fgdemo-static/")


class Line:
    """The slow line of one page, and what came over it: {id: {url, at_s, bytes}}."""

    def __init__(self, page: Page, kilobytes: float, latency_ms: float) -> None:
        self.asked: dict[str, dict[str, Any]] = {}
        self._devtools = page.context.new_cdp_session(page)
        self._devtools.send("Network.enable")
        slow = 1000 * kilobytes
        limits = {"offline": False, "latency": latency_ms, "downloadThroughput": slow, "uploadThroughput": slow}
        self._devtools.send("Network.emulateNetworkConditions", limits)
        self._devtools.on("Network.requestWillBeSent", self._sent)
        self._devtools.on("Network.loadingFinished", self._came)
        self._devtools.on("Network.requestServedFromCache", self._kept)

    def counts(self) -> tuple[int, float]:
        """Requests so far, and kilobytes that came."""
        asked = [one for one in self.asked.values() if not one["kept"]]
        return len(asked), sum(one["bytes"] for one in asked) / 1000

    def _sent(self, event: dict[str, Any]) -> None:
        url = event["request"]["url"]
        if url.startswith("http"):
            self.asked[event["requestId"]] = {"url": url, "at_s": event["timestamp"], "bytes": 0, "kept": False}

    def _came(self, event: dict[str, Any]) -> None:
        if event["requestId"] in self.asked:
            self.asked[event["requestId"]] |= {"bytes": event["encodedDataLength"], "until_s": event["timestamp"]}

    def _kept(self, event: dict[str, Any]) -> None:
        if event["requestId"] in self.asked:
            self.asked[event["requestId"]]["kept"] = True


def opened(browser: Browser, url: str, kilobytes: float, latency_ms: float, is_listed: bool) -> dict[str, float]:
    """The figures of one visit, and of the second of the same browser."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.add_init_script(WATCH)
    line = Line(page, kilobytes, latency_ms)
    page.goto(url, wait_until="commit", timeout=PATIENCE_MS)
    button_ms = page.wait_for_function(READY, timeout=PATIENCE_MS, polling=20).json_value()
    requests, came = line.counts()
    page.wait_for_load_state("load", timeout=PATIENCE_MS)
    page.wait_for_timeout(6000)
    requests_all, came_all = line.counts()
    text_ms = page.evaluate("window.textAt")
    ours = sum(urlsplit(one["url"]).path.startswith(OURS) for one in line.asked.values())
    if is_listed:
        show(line)
    again = context.new_page()
    Line(again, kilobytes, latency_ms)
    again.goto(url, wait_until="commit", timeout=PATIENCE_MS)
    again_ms = again.wait_for_function(READY, timeout=PATIENCE_MS, polling=20).json_value()
    context.close()
    return {
        "requests": requests,
        "requests_all": requests_all,
        "kilobytes": came,
        "kilobytes_all": came_all,
        "text_s": text_ms / 1000,
        "button_s": button_ms / 1000,
        "again_s": again_ms / 1000,
        "of_gradio": requests_all - ours,
        "ours": ours,
    }


def show(line: Line) -> None:
    asked = list(line.asked.values())
    for one in asked:
        at_s, until_s = (one.get(name, 0) - asked[0]["at_s"] for name in ("at_s", "until_s"))
        kept = "kept" if one["kept"] else ""
        print(f"{at_s:6.2f} {max(0, until_s):6.2f} {one['bytes'] / 1000:8.1f} kB {kept} {one['url'][:150]}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kilobytes", type=float, default=50, help="a second")
    parser.add_argument("--latency-ms", type=float, default=400)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--list", action="store_true")
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as scratch,
        serving(app_command(), Path(scratch)) as served,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        seen = [
            opened(browser, served.url, given.kilobytes, given.latency_ms, given.list and not turn)
            for turn in range(given.times)
        ]
        browser.close()
    print(json.dumps({name: round(statistics.median(one[name] for one in seen), 2) for name in seen[0]}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
