"""The Label page in Chromium: keys become events, in order, and nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.support.browser_app import RunningApp, complaints_of, running_app, signed_in
from tests.support.workspace import coloured, some_pictures

CHANGED = "before => ![before, ''].includes(document.querySelector('.fg-label').dataset.image)"


@pytest.fixture
def app(tmp_path: Path) -> Iterator[RunningApp]:
    with running_app(tmp_path) as running:
        running.accounts.add("ada", "expert", "long enough")
        running.workspace.take_in([*some_pictures(12, 3), coloured("lowchen", 5, "<img src=x onerror=alert(1)>")])
        running.workspace.learner.refresh()
        yield running


@pytest.fixture
def page(browser: Browser, app: RunningApp) -> Iterator[Page]:
    page = signed_in(browser, app, "ada")
    complaints = complaints_of(page)
    yield page
    page.context.close()
    assert complaints == []


def begin(page: Page, app: RunningApp) -> None:
    page.goto(f"{app.url}#label")
    page.get_by_role("button", name="Begin").click()
    expect(page.locator(".fg-choice").first).to_be_visible()


def answered(app: RunningApp) -> list[tuple[str, str | None]]:
    return [(said.kind, said.taxon) for said in app.events.since(0) if said.annotator == "ada"]


def press(page: Page, key: str) -> None:
    """Press a key, and wait until another picture is on the screen."""
    before = page.locator(".fg-label").get_attribute("data-image")
    page.keyboard.press(key)
    page.wait_for_function(CHANGED, arg=before)


def saved(page: Page) -> None:
    page.wait_for_selector('.fg-label[data-unsaved="0"]')


def test_each_key_is_one_durable_answer_in_order_and_undo_goes_back(page: Page, app: RunningApp) -> None:
    begin(page, app)
    for key in ("Enter", "2", "u", " ", "x", "o", "g"):
        press(page, key)
    saved(page)
    kinds = [kind for kind, _ in answered(app)]
    assert kinds == ["label", "label", "unsure", "skip", "unusable", "none", "label"]
    assert answered(app)[0] == ("label", "nashville_warbler")
    press(page, "z")
    press(page, "z")
    assert [kind for kind, _ in answered(app)][-2:] == ["undo", "undo"]
    expect(page.locator(".fg-standing .fg-figures")).to_contain_text("5 done")


def test_pictures_that_come_in_meanwhile_are_offered(browser: Browser, tmp_path: Path) -> None:
    with running_app(tmp_path) as running:
        running.accounts.add("ada", "expert", "long enough")
        running.workspace.learner.refresh()
        page = signed_in(browser, running, "ada")
        page.goto(f"{running.url}#label")
        expect(page.get_by_role("heading", name="Nothing waits to be labelled")).to_be_visible()
        running.workspace.take_in(some_pictures(12, 3))
        running.workspace.learner.refresh()
        expect(page.get_by_role("button", name="Begin")).to_be_visible()
        page.context.close()


def test_a_refreshed_page_goes_on_with_the_session(page: Page, app: RunningApp) -> None:
    begin(page, app)
    press(page, "Enter")
    saved(page)
    page.reload()
    expect(page.locator(".fg-choice").first).to_be_visible()
    press(page, "Enter")
    saved(page)
    assert len({said.session for said in app.events.since(0) if said.annotator == "ada"}) == 1


def test_keys_are_dead_while_typing_and_a_group_can_be_found(page: Page, app: RunningApp) -> None:
    begin(page, app)
    page.keyboard.press("/")
    field = page.get_by_role("combobox")
    field.press_sequentially("wood-war")
    expect(page.get_by_role("option").first).to_contain_text("warbler")
    assert answered(app) == []
    before = page.locator(".fg-label").get_attribute("data-image")
    field.press("Enter")
    page.wait_for_function(CHANGED, arg=before)
    saved(page)
    assert answered(app) == [("label", "warbler")]


def test_keys_answer_nothing_while_the_history_is_fetched(page: Page, app: RunningApp) -> None:
    begin(page, app)
    held: list[Route] = []

    def hold(route: Route) -> None:
        if "label_history" in (route.request.post_data or ""):
            held.append(route)
        else:
            route.continue_()

    page.route("**/component_server/", hold)
    page.keyboard.press("h")
    dialog = page.locator(".fg-label dialog")
    expect(dialog).to_be_visible()
    page.keyboard.press("x")
    page.keyboard.press("h")
    held[0].continue_()
    expect(dialog).to_contain_text("came with the picture")
    assert (len(held), answered(app)) == (1, [])


def test_a_new_kind_gets_its_place_in_the_tree(page: Page, app: RunningApp) -> None:
    begin(page, app)
    page.keyboard.press("n")
    page.locator(".fg-label dialog").get_by_label("Name", exact=True).fill("Sleepy Sheltie")
    page.get_by_role("combobox").press_sequentially("dog")
    page.get_by_role("option").first.click()
    before = page.locator(".fg-label").get_attribute("data-image")
    page.get_by_role("button", name="Make it").click()
    page.wait_for_function(CHANGED, arg=before)
    saved(page)
    assert answered(app) == [("label", "sleepy_sheltie")]
    assert app.workspace.taxa.load()["sleepy_sheltie"].parent == "dog"


def test_a_stale_answer_comes_back_with_a_sentence(page: Page, app: RunningApp) -> None:
    from fgdemo.storage.history.events import LabelEvent

    begin(page, app)
    image = page.locator(".fg-label").get_attribute("data-image") or ""
    version = app.workspace.roster.standing(image).version
    app.events.answer(LabelEvent(image, "label", "bo", taxon="lowchen", shown_version=version))
    press(page, "Enter")
    saved(page)
    assert answered(app) == []
    assert page.locator(".fg-label").get_attribute("data-image") != image
    press(page, "u")
    expect(page.locator(f'.fg-label[data-image="{image}"]')).to_be_visible()
    expect(page.get_by_role("alert").first).to_contain_text("meanwhile")
    expect(page.locator(".fg-given")).to_contain_text("said bo")
    press(page, "Enter")
    saved(page)
    assert answered(app) == [("unsure", None), ("label", "nashville_warbler")]


def test_keys_pressed_right_after_undo_are_meant_for_the_picture_that_comes_back(page: Page, app: RunningApp) -> None:
    begin(page, app)
    first = page.locator(".fg-label").get_attribute("data-image")
    press(page, "Enter")
    second = page.locator(".fg-label").get_attribute("data-image")
    for key in ("z", "x", "u"):
        page.keyboard.press(key)
    expect(page.locator(".fg-standing .fg-figures")).to_contain_text("2 done")
    saved(page)
    said = [(one.kind, one.image) for one in app.events.since(0) if one.annotator == "ada"]
    assert said == [("label", first), ("undo", first), ("unusable", first), ("unsure", second)]


def test_answers_that_cannot_be_saved_wait_and_are_sent_once_in_order(browser: Browser, app: RunningApp) -> None:
    context = browser.new_context()
    token = app.accounts.sign_in("ada", "long enough")
    context.add_cookies([{"name": "fgdemo_sign_in", "value": token, "url": app.url}])
    page = context.new_page()
    begin(page, app)
    context.clear_cookies()
    press(page, "Enter")
    press(page, "u")
    expect(page.locator(".fg-label .fg-banner")).to_contain_text("2 answers are not saved yet")
    assert answered(app) == []
    context.add_cookies([{"name": "fgdemo_sign_in", "value": token, "url": app.url}])  # as if in another window
    saved(page)
    expect(page.locator(".fg-label .fg-banner")).to_have_text("Saved again.")
    context.close()
    assert answered(app) == [("label", "nashville_warbler"), ("unsure", None)]


def test_a_second_opinion_is_not_of_what_is_left_and_has_no_given_label(page: Page, app: RunningApp) -> None:
    from fgdemo.storage.history.events import LabelEvent

    image = app.workspace.roster.image_ids[0]
    version = app.workspace.roster.standing(image).version
    app.events.answer(LabelEvent(image, "label", "bo", taxon="lowchen", shown_version=version))
    page.goto(f"{app.url}#label")
    page.get_by_text("Hard to tell").click()
    page.get_by_label("Second opinions").select_option("50 %")
    page.get_by_role("button", name="Begin").click()
    expect(page.locator(".fg-choice").first).to_be_visible()
    left = page.locator(".fg-standing .fg-figure", has_text="left").locator("b")
    given_is_right = page.get_by_role("button", name="Given is right")
    for _ in range(4):
        is_second = page.locator(".fg-reason").inner_text().startswith("Second opinion")
        expect(given_is_right).to_be_disabled() if is_second else expect(given_is_right).to_be_enabled()
        before = int(left.inner_text())
        press(page, "2")
        if is_second:
            assert int(left.inner_text()) == before
            return
    raise AssertionError("no second opinion was asked")


def test_the_session_is_ended_by_keyboard(page: Page, app: RunningApp) -> None:
    begin(page, app)
    press(page, "Enter")
    saved(page)
    page.get_by_role("button", name="End the session").focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".fg-finished h1")).to_have_text("One picture done")
    page.get_by_role("button", name="Another session").click()
    expect(page.get_by_role("button", name="Begin")).to_be_visible()


def test_the_explanation_is_a_key_away_and_references_stand_beside(page: Page, app: RunningApp) -> None:
    begin(page, app)
    expect(page.locator(".fg-ref-a img").first).to_be_visible()
    expect(page.locator(".fg-weight-row").first).to_be_visible()
    page.keyboard.press("e")
    expect(page.locator(".fg-label .fg-stage-note")).to_contain_text("speaks for")
    stage = page.locator(".fg-item .fg-stage")
    expect(stage).to_have_attribute("data-map", "outline")
    expect(stage).to_have_attribute("data-grid", "56 56")  # on the pixels that decide, once they are known
    page.keyboard.press("f")
    expect(stage).to_have_attribute("data-map", "colours")
    page.keyboard.press("f")
    stage.hover()
    expect(stage).to_have_attribute("data-map", "colours")
    page.mouse.move(1, 1)
    expect(stage).to_have_attribute("data-map", "outline")
    page.keyboard.press("v")
    expect(page.locator(".fg-label .fg-stage-note")).to_have_text("Parts")
    expect(stage).to_have_attribute("data-map", "")


def test_a_map_is_drawn_by_places_where_nothing_tells_on_which_pixels(page: Page, app: RunningApp) -> None:
    asked: list[Route] = []

    def hold(route: Route) -> None:
        if "label_spread" in (route.request.post_data or ""):
            asked.append(route)
        else:
            route.continue_()

    page.route("**/component_server/", hold)
    begin(page, app)
    page.keyboard.down("e")
    stage = page.locator(".fg-item .fg-stage")
    expect(stage).to_have_attribute("data-grid", "14 14")
    page.keyboard.up("e")
    first = page.locator(".fg-label").get_attribute("data-image")
    press(page, "Enter")  # nobody waits for it
    expect(page.locator(".fg-label")).not_to_have_attribute("data-image", first or "")
    assert len(asked) == 1
    asked[0].continue_()
    saved(page)
    expect(stage).to_have_attribute("data-map", "")


def test_a_changed_key_holds(page: Page, app: RunningApp) -> None:
    begin(page, app)
    page.keyboard.press("?")
    page.locator(".fg-keycap").filter(has_text="U").click()
    expect(page.locator(".fg-keycap").filter(has_text="…")).to_be_visible()
    page.keyboard.press("k")
    expect(page.locator(".fg-keycap").filter(has_text="K")).to_be_visible()
    page.get_by_role("button", name="Close", exact=True).click()
    expect(page.locator(".fg-label dialog")).to_be_hidden()
    press(page, "k")
    saved(page)
    assert answered(app) == [("unsure", None)]


def test_a_phone_has_all_of_it(browser: Browser, app: RunningApp) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    token = app.accounts.sign_in("ada", "long enough")
    context.add_cookies([{"name": "fgdemo_sign_in", "value": token, "url": app.url}])
    page = context.new_page()
    begin(page, app)
    before = page.locator(".fg-label").get_attribute("data-image")
    page.locator(".fg-choice").first.tap()
    page.wait_for_function(CHANGED, arg=before)
    saved(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()
    assert answered(app) == [("label", "nashville_warbler")]


def test_signing_in_by_hand(browser: Browser, app: RunningApp) -> None:
    page = browser.new_page()
    page.goto(f"{app.url}#label")
    page.locator(".fg-gate").get_by_role("button", name="Sign in").click()
    dialog = page.locator(".fg-top dialog")
    dialog.get_by_label("Name").fill("ada")
    dialog.get_by_label("Password").fill("wrong word")
    dialog.get_by_label("Password").press("Enter")
    expect(page.get_by_role("alert").first).to_contain_text("not right")
    dialog.get_by_label("Password").fill("long enough")
    dialog.get_by_label("Password").press("Enter")
    expect(page.get_by_role("button", name="ada · expert")).to_be_visible()
    expect(page.get_by_role("button", name="Begin")).to_be_visible()
    page.close()
