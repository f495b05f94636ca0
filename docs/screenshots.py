"""The pictures of the documentation: the real pages over drawn specimens, in headless Chromium.

    python docs/screenshots.py [--keep FOLDER]

Nothing but the specimens that `python -m fgdemo specimens` draws is shown: no photograph of anybody. A small model is
fitted to a few of them, an expert's workspace gets all with some wrong labels, *Head only* trains on those, and three
pages are photographed: Classify (A versus B), Label, Train (the verdict). `--keep` is where model and workspace stay,
so that a second run is quick. Writes docs/pictures/*.webp, each of at most 200 kB.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))  # runs from a clone

from benchmarks.serving import app_command, serving  # noqa: E402  (needs the path above)

PICTURES = REPOSITORY / "docs" / "pictures"
LARGEST_BYTES = 200_000
WIDTH_PX, HEIGHT_PX = 1280, 800
PASSWORD = "barn owls by moonlight"
WRONG = {"spot_winged_duneling": "plain_duneling", "band_tailed_marshling": "plain_marshling"}
"""Kinds of which some pictures get the name of their look-alike."""
WRONG_EACH = 4
SHOWN = 7
"""Which of the gold specimens is asked about: one on a warm ground, where a blue map is seen."""
PATIENCE_MS = 240_000
BROWSERS = ("chromium-headless-shell", "chromium", "google-chrome")


def fgdemo(*words: str | Path, typed: str = "", **settings: str) -> None:
    """Run one verb; `typed` is what a person would type."""
    command = [sys.executable, "-m", "fgdemo", *map(str, words)]
    subprocess.run(command, cwd=REPOSITORY, env={**os.environ, **settings}, input=typed, text=True, check=True)


def prepare(folder: Path) -> None:
    """A model that has seen few specimens, and a workspace with many, some of them labelled wrongly."""
    few, many = folder / "few", folder / "many"
    fgdemo("specimens", few, "--per-class", "8", "--seed", "1")
    fgdemo("specimens", many, "--per-class", "60")
    (many / "val").rename(many / "test")  # gold: a maintainer's test pictures
    shutil.rmtree(many / "masks")
    for kind, look_alike in WRONG.items():
        for path in sorted((many / "train" / kind).iterdir())[:WRONG_EACH]:
            path.rename(many / "train" / look_alike / path.name)
    fgdemo(
        "fit", few, "--taxonomy", few / "taxonomy.csv", "--checkpoint", "checkpoints/field-guide",
        "--out", folder / "model",
    )  # fmt: skip
    settings = {"FGDEMO_HOME": str(folder / "home"), "FGDEMO_CHECKPOINT": str(folder / "model")}
    fgdemo("user", "add", "mia", "--role", "maintainer", typed=f"{PASSWORD}\n{PASSWORD}\n", **settings)
    fgdemo("import", many, **settings)
    fgdemo("finetune", "--preset", "head", **settings)


def keep(page: Page, name: str) -> None:
    """The page as it is, in the best quality that is small enough."""
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    for quality in (90, 80, 70, 60):
        file = io.BytesIO()
        picture.save(file, "webp", quality=quality, method=6)
        if file.tell() <= LARGEST_BYTES:
            break
    PICTURES.mkdir(exist_ok=True)
    (PICTURES / f"{name}.webp").write_bytes(file.getvalue())
    print(f"{name}.webp: {file.tell():,} bytes at quality {quality}", flush=True)


def sign_in(page: Page, url: str) -> None:
    page.goto(f"{url}#label")
    page.locator(".fg-gate").get_by_role("button", name="Sign in").click()
    dialog = page.locator("dialog[open]")
    dialog.get_by_label("Name").fill("mia")
    dialog.get_by_label("Password").fill(PASSWORD)
    dialog.get_by_label("Password").press("Enter")
    page.get_by_role("button", name="mia · maintainer").wait_for()


def label(page: Page, url: str) -> None:
    """A picture whose label is in doubt, with its evidence."""
    page.goto(f"{url}#label")
    begin = page.get_by_role("button", name="Begin")
    page.locator(".fg-choice").first.or_(begin).first.wait_for()
    if begin.is_visible():  # where the workspace is an older one, the session goes on
        begin.click()
    page.locator(".fg-choice").first.wait_for()
    page.locator(".fg-refs img, .fg-refs canvas").nth(5).wait_for()  # three of each kind; they come after the picture
    page.keyboard.press("v")
    page.locator(".fg-item-bars > *").first.wait_for()
    page.wait_for_timeout(1500)  # maps fade in
    keep(page, "label")


def train(page: Page, url: str) -> None:
    """The verdict on a candidate; then it goes live."""
    page.goto(f"{url}#train")
    page.locator(".fg-checks li").first.wait_for()
    page.wait_for_timeout(1500)
    keep(page, "train")
    live = page.get_by_role("button", name="Make it live")
    if live.count() and live.first.is_enabled():
        live.first.click()
        page.get_by_text("is live").first.wait_for()


def classify(page: Page, url: str, picture: Path) -> None:
    page.goto(f"{url}#classify")
    page.wait_for_selector(".fg-classify[data-ready]")
    page.locator(".fg-classify input[type=file]").set_input_files(picture)
    page.wait_for_selector('.fg-classify[data-state="answered"]')
    row = page.locator(".fg-candidates > *").filter(has_text="Plain Duneling")  # differs by the spot on the wing alone
    row.get_by_role("button", name="Compare with this kind").click()
    page.keyboard.press("3")
    page.locator(".fg-trust-text").filter(has_text=re.compile(r"\d")).wait_for()
    page.locator(".fg-neighbours img").nth(7).wait_for()
    page.evaluate("document.activeElement.blur()")
    page.mouse.move(0, 0)
    page.wait_for_timeout(2500)
    keep(page, "classify")


def photograph(browser: Browser, url: str, picture: Path) -> None:
    page = browser.new_page(viewport={"width": WIDTH_PX, "height": HEIGHT_PX}, color_scheme="light")
    page.set_default_timeout(PATIENCE_MS)
    sign_in(page, url)
    label(page, url)
    train(page, url)
    classify(page, url, picture)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, metavar="FOLDER")
    given = parser.parse_args()
    chromium = next(filter(None, map(shutil.which, BROWSERS)), None)
    with tempfile.TemporaryDirectory() as scratch:
        folder = (given.keep or Path(scratch)).resolve()
        if not (folder / "home").exists():
            prepare(folder)
        picture = sorted((folder / "many" / "test" / "spot_winged_duneling").iterdir())[SHOWN]
        with (
            serving(app_command(), folder, folder / "model", FGDEMO_HOME=str(folder / "home")) as served,
            sync_playwright() as playwright,
        ):
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            photograph(browser, served.url, picture)
            browser.close()


if __name__ == "__main__":
    main()
