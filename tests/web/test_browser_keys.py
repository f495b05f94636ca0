"""In Chromium: what a key means on other keyboards, and that a key which is held down answers once."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser_app import RunningApp, complaints_of, running_app, signed_in
from tests.support.workspace import coloured, some_pictures
from tests.web.test_browser_label import answered, begin, press, saved

SEND = "(press) => document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {bubbles: true, ...press}))"


@pytest.fixture
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    with running_app(tmp_path_factory.mktemp("home")) as running:
        running.accounts.add("ada", "expert", "long enough")
        bare = [coloured("nashville_warbler", number, "") for number in range(500, 504)]
        running.workspace.take_in([*some_pictures(12, 3), *bare])
        running.workspace.learner.refresh()
        yield running


@pytest.fixture
def page(browser: Browser, app: RunningApp) -> Iterator[Page]:
    page = signed_in(browser, app, "ada")
    complaints = complaints_of(page)
    yield page
    page.context.close()
    assert complaints == []


def test_other_keyboards_answer_and_what_composes_a_character_does_not(page: Page, app: RunningApp) -> None:
    begin(page, app)
    for press_of in ({"key": "ě", "code": "Digit2"}, {"key": "г", "code": "KeyU"}, {"key": "щ", "code": "KeyO"}):
        before = page.locator(".fg-label").get_attribute("data-image")
        page.evaluate(SEND, press_of)
        expect(page.locator(".fg-label")).not_to_have_attribute("data-image", before or "")
    for press_of in (
        {"key": "x", "code": "KeyX", "isComposing": True},
        {"key": "@", "code": "KeyO", "modifierAltGraph": True},
        {"key": "Dead", "code": "KeyX"},
        {"key": "0", "code": "Digit0"},
        {"key": "u", "code": "KeyU", "ctrlKey": True},
    ):
        page.evaluate(SEND, press_of)
    saved(page)
    assert [kind for kind, _ in answered(app)] == ["label", "unsure", "none"]


def test_a_key_that_is_held_down_answers_once(page: Page, app: RunningApp) -> None:
    begin(page, app)
    for key in ("1", "u", "Enter"):
        before = page.locator(".fg-label").get_attribute("data-image")
        for _ in range(4):
            page.keyboard.down(key)
        page.keyboard.up(key)
        expect(page.locator(".fg-label")).not_to_have_attribute("data-image", before or "")
    saved(page)
    assert [kind for kind, _ in answered(app)] == ["label", "unsure", "label"]
    page.goto(f"{app.url}#review?state=all")
    expect(page.locator(".fg-tile.is-cursor")).to_have_count(1)
    for key in ("1", "x"):
        for _ in range(5):
            page.keyboard.down(key)
        page.keyboard.up(key)
        expect(page.locator(".fg-bulk-said")).to_contain_text("Saved.")
    assert len(answered(app)) == 5
    first = page.locator(".fg-tiles").get_attribute("aria-activedescendant")
    for _ in range(3):
        page.keyboard.down("ArrowRight")  # moving goes on
    page.keyboard.up("ArrowRight")
    steps = page.locator(".fg-tiles").evaluate(
        "(grid, first) => [...grid.children].findIndex((one) => one.classList.contains('is-cursor'))"
        " - [...grid.children].findIndex((one) => one.id === first)",
        first,
    )
    assert steps == 3
    button = page.get_by_role("button", name="Unusable")
    button.focus()
    for _ in range(4):
        page.keyboard.down("Enter")
    page.keyboard.up("Enter")
    expect(page.locator(".fg-bulk-said")).to_contain_text("unusable. Saved.")
    assert len(answered(app)) == 6


def test_keys_that_have_nothing_to_say_say_so(page: Page, app: RunningApp) -> None:
    page.goto(f"{app.url}#label")
    page.get_by_text("Unlabelled, typical first").click()
    page.get_by_role("button", name="Begin").click()
    expect(page.locator(".fg-choice").first).to_be_visible()
    banner = page.locator(".fg-label .fg-banner")
    page.keyboard.press("g")
    expect(banner).to_contain_text("This picture has no label yet that could be right.")
    page.keyboard.press("9")
    expect(banner).to_contain_text("No kind has the number 9 here.")
    page.goto(f"{app.url}#review?state=unlabelled")
    expect(page.locator(".fg-tile.is-cursor")).to_have_count(1)
    page.keyboard.press("g")
    expect(page.locator(".fg-bulk-said")).to_contain_text("1 picture has no label yet that could be right.")
    assert answered(app) == []


@pytest.mark.parametrize("kept", ["q", {"key": "q", "code": "KeyQ"}, "й"])
def test_a_key_of_ones_own_works_as_it_was_kept_and_on_another_keyboard(
    page: Page, app: RunningApp, kept: str | dict[str, str]
) -> None:
    page.add_init_script(f"localStorage.setItem('fgdemo.label.keys', {json.dumps(json.dumps({'unsure': kept}))})")
    begin(page, app)
    if kept != "й":
        press(page, "q")
    before = page.locator(".fg-label").get_attribute("data-image")
    page.evaluate(SEND, {"key": "й", "code": "KeyQ"})
    expect(page.locator(".fg-label")).not_to_have_attribute("data-image", before or "")
    saved(page)
    assert {kind for kind, _ in answered(app)} == {"unsure"}


def test_a_key_is_chosen_by_what_it_writes_and_kept_with_its_place(page: Page, app: RunningApp) -> None:
    begin(page, app)
    page.keyboard.press("?")
    rows = page.locator(".fg-label dialog dl")
    assert "0" not in rows.locator("kbd").all_inner_texts()
    rows.get_by_role("button").nth(2).click()  # unsure
    page.evaluate(SEND, {"key": "ě", "code": "Digit2"})
    expect(page.locator(".fg-label dialog .fg-form-message")).to_have_text("2 is in use.")
    rows.get_by_role("button").nth(2).click()
    page.keyboard.press("Shift")
    page.keyboard.press("q")
    expect(rows.get_by_role("button").nth(2)).to_have_text("Q")
    kept = json.loads(page.evaluate("localStorage.getItem('fgdemo.label.keys')"))
    assert kept["unsure"] == {"key": "q", "code": "KeyQ"}
    page.evaluate(SEND, {"key": "؟", "code": "Slash", "shiftKey": True})  # closes the list, as it opened it
    expect(page.locator(".fg-label dialog")).to_be_hidden()
    press(page, "q")
    saved(page)
    assert answered(app) == [("unsure", None)]
