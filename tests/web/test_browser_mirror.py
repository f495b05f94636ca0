"""The head of the page says how far the backup is: to experts, and in red where it fails."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from playwright.sync_api import Browser, expect

from fgdemo.services.exchange.mirroring import Mirroring
from fgdemo.storage.people.accounts import Accounts
from tests.store.test_mirror import label
from tests.support.browser_app import complaints_of, running_app, signed_in
from tests.support.mirroring import mirror_of
from tests.support.workspace import open_fake_workspace, some_pictures

HURRY = """
const wait = setTimeout, now = performance.now.bind(performance);
window.setTimeout = (done, ms, ...more) => wait(done, ms / 10, ...more);
performance.now = () => 10 * now();
"""
"""The clock of the page runs ten times as fast: it asks twice a second how far the backup is."""


def test_experts_see_how_far_the_backup_is_and_why_it_fails(browser: Browser, tmp_path: Path) -> None:
    home, place = tmp_path / "home", tmp_path / "mirror"
    made = open_fake_workspace(home)
    made.take_in(some_pictures(4, 0))
    Accounts(made.engine).add("ada", "expert", "long enough")
    mirror = mirror_of(home, str(place))
    mirror.destination.rest_s = 0.2
    mirroring = Mirroring(mirror)
    with running_app(home, mirroring=mirroring) as app:
        page = signed_in(browser, app, "ada")
        complaints = complaints_of(page)
        page.add_init_script(HURRY)
        page.goto(app.url)
        shown = page.locator(".fg-mirror")
        expect(shown).to_have_text("No answers to back up yet")
        label(made, made.roster.image_ids[0] if len(made.roster) else "", "ada", "lowchen")
        expect(shown).to_have_text("Backing up 1 of 1 answers…")
        mirroring.start()
        expect(shown).to_have_text(re.compile(r"^The answer is backed up, \d+ s ago$"))
        shutil.rmtree(place)
        place.write_text("now it is a file")
        label(made, made.roster.image_ids[1], "ada", "lowchen")
        expect(shown).to_have_text(re.compile("^1 of 2 answers not backed up: The mirror cannot be reached"))
        expect(shown).to_have_class(re.compile("fg-fault"))
        place.unlink()
        expect(shown).to_have_text(re.compile(r"^All 2 answers backed up, \d+ s ago$"))
        visitor = browser.new_page()
        visitor.goto(app.url)
        expect(visitor.locator(".fg-model")).not_to_have_text("loading the model…")
        expect(visitor.locator(".fg-mirror")).to_be_hidden()
        assert complaints == []
        mirroring.stop()
