"""In Chromium: the server is killed and started again while every page is open, and each goes on by itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from fgdemo.storage.history.events import EventLog
from fgdemo.storage.people.accounts import Accounts
from tests.support.browser_app import YELLOW, picture
from tests.support.workspace import open_fake_workspace, some_pictures
from tests.web.test_browser_label import CHANGED, saved
from tests.web.test_stopping import serving

pytestmark = pytest.mark.timeout(600)  # a busy machine takes minutes to start the server twice
TROUBLE = "The server does not answer. Trying again…"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    workspace = open_fake_workspace(home)
    workspace.take_in(some_pictures(8, 3))
    Accounts(workspace.engine).add("mia", "maintainer", "long enough")
    workspace.engine.dispose()
    return home


def opened(context: BrowserContext, address: str) -> Page:
    page = context.new_page()
    page.goto(address)
    return page


def test_all_pages_go_on_when_the_server_is_back(browser: Browser, home: Path, tmp_path: Path) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    with serving(home, tmp_path / "first.log") as server:
        server.wait_until_ready()
        token = Accounts(open_fake_workspace(home).engine).sign_in("mia", "long enough")
        context.add_cookies([{"name": "fgdemo_sign_in", "value": token, "url": server.url}])
        label, review, train, data, classify = (
            opened(context, f"{server.url}#{name}")
            for name in ("label", "review?state=all", "train", "data", "classify")
        )
        label.get_by_role("button", name="Begin").click()
        expect(label.locator(".fg-choice").first).to_be_visible()
        expect(review.locator(".fg-count")).to_have_text("27 pictures")
        expect(train.locator(".fg-train-state h1")).to_be_visible()
        expect(data.locator(".fg-people li")).to_have_count(1)
        expect(classify.locator(".fg-model")).to_contain_text("5 kinds")
        port = server.port
    for key in ("Enter", "u", "x"):
        before = label.locator(".fg-label").get_attribute("data-image")
        label.keyboard.press(key)
        label.wait_for_function(CHANGED, arg=before)
    expect(label.locator(".fg-label .fg-banner")).to_contain_text(
        "3 answers are not saved yet. The server does not answer."
    )
    review.goto(f"{server.url}#review?state=all&given=eskimo_dog")
    data.get_by_role("button", name="Prepare the download").click()
    train.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    classify.locator(".fg-classify input[type=file]").set_input_files(picture(tmp_path / "one.png", YELLOW, YELLOW))
    for page in (review, train, data, classify):
        expect(page.locator(".fg-trouble")).to_contain_text(TROUBLE)
    with serving(home, tmp_path / "second.log", port=port) as server:
        server.wait_until_ready()
        saved(label)
        press_of = label.locator(".fg-label").get_attribute("data-image")
        label.keyboard.press("o")
        label.wait_for_function(CHANGED, arg=press_of)
        saved(label)
        expect(review.locator(".fg-count")).to_have_text("8 pictures")
        expect(review.locator(".fg-tile")).to_have_count(8)
        expect(data.locator(".fg-transfer")).to_contain_text("try again")
        expect(classify.locator(".fg-answer h1")).to_contain_text("Nashville Warbler")
        for page in (review, train, data, classify):
            expect(page.locator(".fg-trouble")).to_be_hidden()
        said = [one.kind for one in EventLog(open_fake_workspace(home).engine).since(0) if one.annotator == "mia"]
        assert said == ["label", "unsure", "unusable", "none"]
    context.close()
