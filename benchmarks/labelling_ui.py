"""How fast the Label page answers keys on a large workspace, and whether any key is lost.

    python benchmarks/labelling_ui.py [--pictures 100000] [--rows 1000000] [--presses 200] [--keep DIR]

`python app.py` with the bundled checkpoint over a workspace of generated pictures (`large_workspace.py`), the Label
page in headless Chromium, driven by keys. One JSON line last:

  p50_ms, p95_ms     from the key to the next picture painted; each key 0.2 to 0.8 s after the picture before, as a
                     quick person does it, so that maps and references are asked for meanwhile
  burst_p50_ms, burst_p95_ms     the same at 8 keys a second without a break
  lost               of the keys of the burst: those that are not in the log with the picture on the screen and the
                     right answer, those pressed while no picture was shown, and events that nobody asked for
  start_s            from starting the server to the first page, and `ready_s` to the first picture that can be asked
  next_item_ms, answer_ms and their p95     at --rows pictures, without a browser: `Labelling.next_items` for one
                     item, and `Labelling.answer`, while rankings are made in the background
  memory_gib         peak resident memory of that process, page, network and learner included
  rows_read_s, rows_ready_s     from opening that workspace until the log is read, and until the first item
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # runs from a clone, nothing needs to be installed

import httpx
import numpy as np
from large_workspace import Plan, fill
from playwright.sync_api import Page, sync_playwright
from serving import Served, app_command, serving

from fgdemo.model.checkpoint.load import load_classifier
from fgdemo.settings import Settings
from fgdemo.storage.database.database import open_database
from fgdemo.storage.history.events import EventLog, LabelEvent
from fgdemo.storage.history.sessions import Sessions
from fgdemo.storage.people.accounts import Accounts

KEYS = ("Enter", "1", "2", "u", "Enter", "g", " ", "x")
KINDS = {"u": "unsure", " ": "skip", "x": "unusable"}
SEED, PER_SECOND = 0, 8
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
PATIENCE_MS = 60_000
LISTEN = """
window.presses = [];
addEventListener("keydown", (event) => {
    const root = document.querySelector(".fg-label");
    const taxa = [...root.querySelectorAll(".fg-choice")].map((one) => one.dataset.taxon);
    const given = root.querySelector(".fg-given-name")?.dataset.taxon;
    const taxon = { Enter: taxa[0], 1: taxa[0], 2: taxa[1], g: given }[event.key] ?? null;
    window.presses.push({ at: event.timeStamp, key: event.key, image: root.dataset.image, taxon, painted: null });
}, true);
const drawn = CanvasRenderingContext2D.prototype.drawImage;
CanvasRenderingContext2D.prototype.drawImage = function (picture, ...rest) {
    drawn.call(this, picture, ...rest);
    const image = /pictures\\/([0-9a-f]{64})\\/display/.exec(picture?.src ?? "")?.[1];
    const open = window.presses.filter((press) => press.painted === null && press.image !== image);
    if (!image || !open.length) return;
    requestAnimationFrame(() => {
        const after = new MessageChannel();
        after.port1.onmessage = () => open.forEach((press) => (press.painted ??= performance.now()));
        after.port2.postMessage(null);
    });
};
"""
ALL_PAINTED = "(n) => window.presses.length >= n && window.presses.every((press) => press.painted !== null)"
SAVED = '.fg-label[data-unsaved="0"]'


@dataclass(frozen=True)
class Expert:
    """Somebody who is signed in, and the log."""

    token: str
    log: EventLog
    sessions: Sessions

    @classmethod
    def of(cls, home: Path) -> Expert:
        engine = open_database(f"sqlite:///{home / 'fgdemo.sqlite'}")
        accounts = Accounts(engine)
        if not accounts.all():
            accounts.add("ada", "expert", "long enough")
        sessions = Sessions(engine)
        earlier = sessions.current("ada")
        if earlier is not None:  # of a run on the same workspace
            sessions.close(earlier.id)
        return cls(accounts.sign_in("ada", "long enough"), EventLog(engine), sessions)

    def current(self) -> int:
        """The session that the page has begun."""
        session = self.sessions.current("ada")
        if session is None:
            raise SystemExit("The page began no session.")
        return session.id


def wait_until_ready(served: Served, token: str) -> float:
    """Seconds from the start of the server until pictures can be asked."""
    components = httpx.get(f"{served.url}config", timeout=600).json()["components"]
    page = next(one["id"] for one in components if "label_open" in (one["props"].get("server_fns") or ()))
    question = {"data": {}, "component_id": page, "fn_name": "label_open", "session_hash": "benchmark"}
    while True:
        asked = httpx.post(
            f"{served.url}gradio_api/component_server/", json=question, cookies={"fgdemo_sign_in": token}, timeout=600
        )  # a connection of its own: a busy server may close an old one just as it is used again
        reply = asked.raise_for_status().json()
        if "starting" not in reply:
            return time.perf_counter() - served.started
        print(f"the server has learned {reply['starting']}", file=sys.stderr)
        time.sleep(1)


def press_all(page: Page, presses: int) -> tuple[list[dict], list[dict]]:
    """(calm, burst): what the page noted of each key."""
    generator = np.random.default_rng(SEED)
    for turn in range(presses):
        page.keyboard.press(KEYS[turn % len(KEYS)])
        page.wait_for_function(ALL_PAINTED, arg=turn + 1, timeout=PATIENCE_MS)
        page.wait_for_timeout(float(generator.uniform(200, 800)))
        if turn % 50 == 49:
            print(f"{turn + 1} keys", file=sys.stderr)
    page.wait_for_selector(SAVED, timeout=PATIENCE_MS)
    calm = page.evaluate("window.presses.splice(0)")
    began = time.monotonic()
    for turn in range(presses):
        time.sleep(max(0.0, began + turn / PER_SECOND - time.monotonic()))
        page.keyboard.press(KEYS[turn % len(KEYS)])
    page.wait_for_function(ALL_PAINTED, arg=presses, timeout=PATIENCE_MS)
    page.wait_for_selector(SAVED, timeout=PATIENCE_MS)
    return calm, page.evaluate("window.presses")


def lost(presses: list[dict], events: list[LabelEvent]) -> int:
    """Keys without their event in its place, and events without a key."""
    wanted = [(press["image"], KINDS.get(press["key"], "label"), press["taxon"]) for press in presses]
    kept = [(said.image, said.kind, said.taxon) for said in events]
    wrong = sum(a != b for a, b in zip(wanted, kept, strict=False))
    return max(len(wanted), len(kept)) - min(len(wanted), len(kept)) + wrong


def measure_page(home: Path, scratch: Path, presses: int) -> dict[str, float]:
    expert = Expert.of(home)
    with serving(app_command(), scratch) as served, sync_playwright() as playwright:
        ready_s = wait_until_ready(served, expert.token)
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        context.add_cookies([{"name": "fgdemo_sign_in", "value": expert.token, "url": served.url}])
        page = context.new_page()
        page.add_init_script(LISTEN)
        page.goto(f"{served.url}#label")
        page.get_by_role("button", name="Begin").click(timeout=PATIENCE_MS)
        page.wait_for_selector(".fg-choice", timeout=PATIENCE_MS)
        page.wait_for_timeout(2000)
        session = expert.current()
        calm, burst = press_all(page, presses)
        browser.close()
    said = expert.log.by_session(session)
    print(f"calm keys lost: {lost(calm, said[: len(calm)])}", file=sys.stderr)
    figures = {"start_s": round(served.start_s, 1), "ready_s": round(ready_s, 1)}
    for name, noted in (("", calm), ("burst_", burst)):
        waits = [press["painted"] - press["at"] for press in noted]
        for share in (50, 95):
            figures[f"{name}p{share}_ms"] = round(float(np.percentile(waits, share)), 1)
    return {**figures, "lost": lost(burst, said[len(calm) :])}


def measure_rows(home: Path, turns: int) -> dict[str, float]:
    """In a process of its own, so that its memory is only that of the server."""
    from fgdemo.values.annotation import Person
    from fgdemo.web import build_app
    from fgdemo.wiring.assembly import build_services

    began = time.perf_counter()
    services = build_services(Settings.from_env({"FGDEMO_HOME": str(home)}))
    build_app(services)
    labelling, ada = services.labelling, Person("ada", "expert")
    read_s = None
    while (progress := labelling.starting(ada)) is not None:
        if progress[0] and read_s is None:
            read_s = time.perf_counter() - began
        print(f"learned {progress}, {time.perf_counter() - began:.0f} s", file=sys.stderr)
        time.sleep(1)
    session = labelling.start(ada, "suspicion", None, None, 0).id
    asking, answering = [], []
    ready_s = None
    for turn in range(turns):
        start = time.perf_counter()
        (item,) = labelling.next_items(ada, session, [], 1)
        asked = time.perf_counter()
        ready_s = ready_s or asked - began
        said = LabelEvent(
            item.image,
            "label",
            "ada",
            taxon=item.choices[turn % 2].taxon,
            shown_version=item.version,
            session=session,
            reason=item.reason,
        )
        labelling.answer(ada, session, said)
        asking.append(asked - start)
        answering.append(time.perf_counter() - asked)
        time.sleep(0.05)
    peak_kib = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
    figures = {"memory_gib": round(peak_kib / 2**20, 2), "rows_ready_s": round(ready_s or 0, 1)}
    figures["rows_read_s"] = round(read_s or 0, 1)
    for name, times in (("next_item", asking), ("answer", answering)):
        figures[f"{name}_ms"] = round(1000 * float(np.median(times)), 1)
        figures[f"{name}_p95_ms"] = round(1000 * float(np.percentile(times, 95)), 1)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=100_000, help="0 leaves the page out")
    parser.add_argument("--rows", type=int, default=1_000_000, help="0 leaves this part out")
    parser.add_argument("--presses", type=int, default=200)
    parser.add_argument("--keep", type=Path, help="where the workspaces are kept, and found again")
    parser.add_argument("--only-rows-of", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only_rows_of:
        print(json.dumps(measure_rows(given.only_rows_of, given.presses)))
        return
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as scratch:
        place = given.keep or Path(scratch)
        for count, with_files in ((given.pictures, True), (given.rows, False)):
            folder = place / f"{'pages' if with_files else 'rows'}-{count}"
            if not count:
                continue
            if not folder.exists():
                fill(folder / "home", load_classifier(Settings.from_env({}).checkpoint), Plan(count, with_files))
            if with_files:
                figures |= measure_page(folder / "home", folder, given.presses)
                continue
            child = [sys.executable, __file__, "--only-rows-of", str(folder / "home"), "--presses", str(given.presses)]
            ran = subprocess.run(child, stdout=subprocess.PIPE, text=True, check=True)
            figures |= json.loads(ran.stdout.splitlines()[-1])
    print(json.dumps({**figures, "pictures": given.pictures, "rows": given.rows, "presses": given.presses}))


if __name__ == "__main__":
    main()
