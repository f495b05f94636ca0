"""The Review page in Chromium: from a cell of the matrix to many pictures put right, by keys alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from fgdemo.storage.history.events import LabelEvent
from tests.support.browser_app import YELLOW, RunningApp, complaints_of, picture, running_app, signed_in
from tests.support.workspace import coloured, some_pictures

CELL = "#review?given=mourning_warbler&suggested=nashville_warbler&state=all&split=train"


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


def answered(app: RunningApp) -> list[tuple[str, str | None]]:
    return [(said.kind, said.taxon) for said in app.events.since(0) if said.annotator == "ada"]


def said(page: Page, text: str) -> None:
    expect(page.locator(".fg-bulk-said")).to_contain_text(text)


def test_from_a_cell_to_three_labels_put_right_and_back_by_keys_alone(page: Page, app: RunningApp) -> None:
    page.goto(f"{app.url}#review?view=confusions")
    canvas = page.locator(".fg-matrix canvas")
    expect(canvas).to_be_visible()
    canvas.focus()
    tip = page.locator(".fg-matrix-tip")
    for key in ("ArrowRight", "ArrowDown") * 4:  # from cell to cell, until it is the one beside the diagonal
        page.keyboard.press(key)
        if "looks like Nashville Warbler: 3 of 15" in (tip.text_content() or ""):
            break
    expect(tip).to_contain_text("labelled Mourning Warbler, looks like Nashville Warbler: 3 of 15")
    page.keyboard.press("Enter")
    expect(page.locator(".fg-count")).to_have_text("3 pictures")
    expect(page.locator(".fg-tile.is-cursor")).to_have_count(1)
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator(".fg-bulk-will")).to_contain_text("3 pictures chosen · labelled Mourning Warbler")
    expect(page.locator(".fg-keybutton").first).to_contain_text("Nashville Warbler")
    page.keyboard.press("1")
    said(page, "3 pictures → Nashville Warbler. Saved.")
    assert answered(app) == [("label", "nashville_warbler")] * 3
    page.keyboard.press("z")
    said(page, "Taken back: 3 pictures → Nashville Warbler.")
    assert not app.workspace.roster.checked.any()
    page.go_back()
    expect(canvas).to_be_visible()


def test_choosing_by_range_by_toggle_by_drag_and_all(page: Page, app: RunningApp) -> None:
    page.goto(f"{app.url}#review?state=all")
    tiles, chosen = page.locator(".fg-tile"), page.locator('.fg-tile[aria-selected="true"]')
    expect(tiles).to_have_count(40)
    tiles.nth(1).click()
    tiles.nth(4).click(modifiers=["Shift"])
    expect(chosen).to_have_count(4)
    tiles.nth(2).click(modifiers=["Shift"])  # the range ends elsewhere
    expect(chosen).to_have_count(2)
    tiles.nth(6).click(modifiers=["Control"])
    tiles.nth(1).click(modifiers=["Control"])
    expect(chosen).to_have_count(2)
    tiles.nth(0).hover()
    page.mouse.down()
    tiles.nth(2).hover()
    page.mouse.up()
    expect(chosen).to_have_count(3)
    page.keyboard.press("Escape")
    expect(chosen).to_have_count(0)
    page.keyboard.press("a")
    expect(chosen).to_have_count(40)
    page.locator("select[aria-label=Order]").select_option("newest")
    expect(page).to_have_url(f"{app.url}#review?state=all&sort=newest")
    expect(chosen).to_have_count(0)


def test_an_address_shows_the_same_after_a_refresh_and_can_still_be_taken_back(page: Page, app: RunningApp) -> None:
    page.goto(app.url + CELL)
    expect(page.locator(".fg-count")).to_have_text("3 pictures")
    expect(page.locator(".fg-filter-kind").first).to_contain_text("Mourning Warbler")
    page.keyboard.press("a")
    page.keyboard.press("g")
    said(page, "3 pictures: labels are right. Saved.")
    assert answered(app) == [("label", "mourning_warbler")] * 3
    page.reload()
    expect(page.locator('.fg-tile[data-checked="true"]')).to_have_count(3)
    page.keyboard.press("z")
    said(page, "Taken back")
    expect(page.locator('.fg-tile[data-checked="true"]')).to_have_count(0)


def test_a_stale_answer_is_refused_whole_and_what_changed_is_marked(page: Page, app: RunningApp) -> None:
    page.goto(app.url + CELL)
    expect(page.locator(".fg-tile")).to_have_count(3)
    image = page.locator(".fg-tile").nth(1).get_attribute("data-image") or ""
    version = app.workspace.roster.standing(image).version
    app.events.answer(LabelEvent(image, "label", "bo", taxon="lowchen", shown_version=version))
    page.keyboard.press("a")
    page.keyboard.press("1")
    said(page, "1 picture changed meanwhile, so nothing was kept.")
    expect(page.locator(".fg-tile.is-stale")).to_contain_text("Löwchen")
    expect(page.locator('.fg-tile[aria-selected="true"]')).to_have_count(2)
    assert answered(app) == []
    page.keyboard.press("1")
    said(page, "2 pictures → Nashville Warbler. Saved.")
    assert answered(app) == [("label", "nashville_warbler")] * 2


def test_one_picture_closely_and_another_kind_by_search(page: Page, app: RunningApp) -> None:
    page.goto(app.url + CELL)
    expect(page.locator(".fg-tile")).to_have_count(3)
    page.keyboard.press("Enter")
    large = page.get_by_role("dialog", name="One picture closely")
    expect(large.locator('.fg-stage[data-drawn="map"]')).to_be_visible()
    expect(large.locator(".fg-stage-note")).to_have_text("Nashville Warbler against Mourning Warbler")
    expect(large.locator(".fg-past")).to_contain_text("came with the picture")
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.get_by_role("combobox", name="Kind or group").press_sequentially("uhu")
    expect(page.get_by_role("option", name="Eurasian Eagle-Owl")).to_be_visible()
    page.keyboard.press("Enter")
    said(page, "1 picture → Eurasian Eagle-Owl. Saved.")
    assert answered(app) == [("label", "eurasian_eagle_owl")]


def test_a_maintainer_corrects_a_gold_picture_and_an_expert_is_told_who_can(browser: Browser, app: RunningApp) -> None:
    app.accounts.add("cy", "maintainer", "long enough")
    app.workspace.take_in([coloured("lowchen", 6, split="test")], "2")
    app.workspace.learner.refresh()
    for name in ("ada", "cy"):
        page = signed_in(browser, app, name)
        page.goto(f"{app.url}#review?state=all&split=gold")
        expect(page.locator(".fg-bulk-will")).to_contain_text("1 gold picture under the cursor")
        page.keyboard.press("x")
        if name == "cy":
            said(page, "1 picture → unusable, out of gold. Saved.")
            page.keyboard.press("z")
            said(page, "Taken back: 1 picture → unusable, out of gold.")
        else:
            said(page, "Locked, so nothing was changed.")
        page.keyboard.press("/")
        if name == "cy":
            page.locator("dialog[open] input").fill("mourning")
            page.keyboard.press("Enter")
            said(page, "1 picture → Mourning Warbler. Saved.")
        else:
            expect(page.locator("dialog[open]")).to_have_count(0)
        page.context.close()
    *_, last = app.events.since(0)
    assert (last.kind, last.taxon, last.annotator) == ("adjudication", "mourning_warbler", "cy")


def test_a_maintainer_takes_several_pictures_out_of_gold_and_is_asked_first(browser: Browser, app: RunningApp) -> None:
    app.accounts.add("cy", "maintainer", "long enough")
    app.workspace.take_in([coloured("lowchen", 60 + n, split="test") for n in range(4)], "2")
    app.workspace.learner.refresh()
    page = signed_in(browser, app, "cy")
    page.goto(f"{app.url}#review?state=all&split=gold")
    will, asked = page.locator(".fg-bulk-will"), page.locator("dialog[open]")
    expect(will).to_contain_text("1 gold picture under the cursor")
    page.keyboard.press("a")
    expect(will).to_contain_text("4 gold pictures chosen")
    page.keyboard.press("x")
    expect(asked).to_contain_text("Take 4 pictures out of gold?")
    expect(asked).to_contain_text("Models are judged by 4 gold labels now, and by 0 after it.")
    expect(asked).to_contain_text("Verdicts that were made before count no more")
    page.get_by_role("button", name="Not now").click()
    assert {app.workspace.roster.standing(image).taxon for image in gold_images(app)} == {"lowchen"}
    page.keyboard.press("x")
    page.get_by_role("button", name="Take them out").click()
    said(page, "4 pictures → unusable, out of gold. Saved.")
    page.keyboard.press("a")
    page.keyboard.press("b")
    page.get_by_role("button", name="Put them back").click()
    said(page, "4 pictures → back in gold. Saved.")
    assert {app.workspace.roster.standing(image).taxon for image in gold_images(app)} == {"lowchen"}
    page.goto(f"{app.url}#review?state=all")
    expect(page.locator('.fg-tile:not([data-gold="true"])').first).to_be_visible()  # the gold ones are there already
    page.locator('.fg-tile[data-gold="true"]').first.click()
    page.locator('.fg-tile:not([data-gold="true"])').first.click(modifiers=["Control"])
    said(page, "Gold pictures are chosen: choose none first.")
    page.keyboard.press("o")
    said(page, "1 picture → none of these, out of gold. Saved.")
    page.keyboard.press("z")
    said(page, "Taken back: 1 picture → none of these, out of gold.")
    page.context.close()


def gold_images(app: RunningApp) -> list[str]:
    roster = app.workspace.roster
    roster.follow()
    return [image for image in roster.image_ids if roster.standing(image).split == "gold"]


def test_kinds_lead_to_a_kind_to_its_rival_and_to_a_session_on_the_two(page: Page, app: RunningApp) -> None:
    page.goto(f"{app.url}#review?view=kinds")
    table = page.locator(".fg-kinds")
    expect(table).to_contain_text("<img src=x onerror=alert(1)>")  # a name is only text
    assert table.locator("img").count() == 0
    table.get_by_role("link", name="Mourning Warbler").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Mourning Warbler Geothlypis philadelphia")
    expect(page.locator(".fg-facts")).to_contain_text("80 %")
    page.get_by_role("link", name="Compare with Nashville Warbler").click()
    expect(page.locator(".fg-pair-table")).to_contain_text("Look like the other")
    expect(page.locator(".fg-weight-row").first).to_be_visible()
    page.get_by_role("button", name="Label this pair").click()
    expect(page.locator(".fg-choice").first).to_be_visible()
    session = app.workspace.labelling.current(app.accounts.person(app.accounts.sign_in("ada", "long enough")))
    assert session is not None
    assert session.pair


def test_who_has_answered(page: Page, app: RunningApp) -> None:
    page.goto(f"{app.url}#review?view=annotators")
    expect(page.locator(".fg-review-page")).to_contain_text("Nobody has answered yet")
    page.goto(app.url + CELL)
    expect(page.locator(".fg-tile")).to_have_count(3)
    page.keyboard.press("x")
    said(page, "1 picture → unusable. Saved.")
    page.get_by_role("link", name="Annotators").click()
    expect(page.locator(".fg-people tbody tr")).to_contain_text("ada")


def test_a_phone_sees_the_worst_first_and_answers_by_touch(browser: Browser, app: RunningApp) -> None:
    page = signed_in(browser, app, "ada", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page.goto(f"{app.url}#review?view=confusions")
    worst = page.locator(".fg-worst")
    expect(worst).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    worst.locator(".fg-cell").first.tap()
    tiles = page.locator(".fg-tile")
    expect(tiles).to_have_count(3)
    tiles.nth(0).tap()
    tiles.nth(2).tap()
    expect(page.locator(".fg-bulk-will")).to_contain_text("2 pictures chosen")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator(".fg-bulk .fg-keybutton").first.tap()
    said(page, "2 pictures → Nashville Warbler. Saved.")
    page.context.close()
    assert answered(app) == [("label", "nashville_warbler")] * 2


def test_a_picture_closely_shows_an_outline_first_and_colours_when_they_are_wanted(page: Page, app: RunningApp) -> None:
    page.goto(f"{app.url}{CELL}")
    stage = page.locator(".fg-inspector .fg-stage")
    expect(stage).to_have_attribute("data-map", "outline")
    expect(stage).to_have_attribute("data-grid", "56 56")
    page.keyboard.press("f")
    expect(stage).to_have_attribute("data-map", "colours")
    page.locator(".fg-tile").nth(1).click()  # it stays so
    expect(stage).to_have_attribute("data-map", "colours")
    fill = page.get_by_role("button", name="Fill")
    expect(fill).to_have_attribute("aria-pressed", "true")
    fill.click()
    expect(stage).to_have_attribute("data-map", "outline")
    page.keyboard.press("e")
    expect(stage).to_have_attribute("data-map", "")
    expect(fill).to_be_hidden()


def test_a_maintainer_publishes_pictures_which_visitors_then_see(
    browser: Browser, app: RunningApp, tmp_path: Path
) -> None:
    app.accounts.add("mia", "maintainer", "long enough")
    page = signed_in(browser, app, "mia")
    complaints = complaints_of(page)
    page.goto(f"{app.url}#review?given=mourning_warbler&state=all")
    expect(page.locator(".fg-tile")).to_have_count(15)
    page.locator(".fg-tile").nth(0).click()
    page.locator(".fg-tile").nth(2).click(modifiers=["Shift"])
    expect(page.locator(".fg-keybutton", has_text="Publish…")).to_be_visible()
    page.keyboard.press("v")
    dialog = page.locator("dialog[open]")
    expect(dialog).to_contain_text("Publish 3 pictures?")
    dialog.get_by_label("Whose pictures they are").fill("  <b>Mia</b>   Miller ")
    page.keyboard.press("Enter")  # without a licence nothing is published
    expect(dialog).to_be_visible()
    dialog.get_by_label("Licence").fill("CC BY 4.0")
    page.keyboard.press("Enter")
    said(page, "3 pictures → published: <b>Mia</b> Miller · CC BY 4.0. Saved.")
    assert app.workspace.roster.is_public.sum() == 3
    page.goto(f"{app.url}#review?given=mourning_warbler&state=published")
    expect(page.locator(".fg-count")).to_have_text("3 pictures")
    expect(page.locator(".fg-tile").first).to_contain_text("published")
    page.locator(".fg-tile").first.click()
    expect(page.locator(".fg-past")).to_contain_text("published: <b>Mia</b> Miller · CC BY 4.0")
    image = page.locator(".fg-tile").first.get_attribute("data-image") or ""
    visitor = browser.new_page()
    reply = visitor.goto(f"{app.url}fgdemo/pictures/{image}/display")
    assert reply is not None
    assert reply.ok
    page.keyboard.press("v")  # the one under the cursor
    said(page, "1 picture → withdrawn. Saved.")
    assert app.workspace.roster.is_public.sum() == 2
    page.keyboard.press("z")
    said(page, "Taken back: 1 picture → withdrawn.")
    assert app.workspace.roster.is_public.sum() == 3
    visitor.goto(app.url)
    visitor.set_input_files(".fg-classify input[type=file]", picture(tmp_path / "w.png", YELLOW, YELLOW))
    strip = visitor.locator(".fg-strip-b")
    expect(strip.locator("img").first).to_be_visible()
    expect(strip.locator(".fg-credit")).to_have_text("<b>Mia</b> Miller · CC BY 4.0")
    expect(visitor.locator(".fg-strip-a img")).to_have_count(0)
    spoke = visitor.locator(".fg-classify .fg-cards-b .fg-spoke")
    expect(spoke.locator(".fg-crop[data-painted]").first).to_be_visible()
    expect(spoke.first).to_contain_text("<b>Mia</b> Miller · CC BY 4.0")
    expect(visitor.locator(".fg-classify .fg-cards-a .fg-spoke")).to_have_count(0)
    spoke.first.get_by_role("button").click()
    closely = visitor.locator("dialog[open]")
    expect(closely).to_contain_text("labelled Mourning Warbler")
    expect(closely).to_contain_text("Without this picture it would be")
    expect(closely.locator(".fg-spoke-whole img")).to_have_count(2)
    visitor.keyboard.press("Escape")
    expect(closely).to_have_count(0)
    visitor.close()
    page.context.close()
    assert complaints == []


def test_crops_that_spoke_unfold_beside_a_picture_and_add_up(page: Page, app: RunningApp) -> None:
    page.goto(app.url + CELL)
    fold = page.locator(".fg-inspector .fg-cards-fold")
    expect(fold).to_be_visible()
    expect(fold.locator(".fg-spoke")).to_have_count(0)  # nothing is read unasked
    fold.locator("> summary").click()
    expect(fold.locator(".fg-crop[data-painted]").first).to_be_visible()
    fold.locator(".fg-cards-sum summary").first.click()
    cells = [cell.replace("−", "-") for cell in fold.locator("tbody td, tfoot td").all_inner_texts()]
    a, b = ([float(cell) for cell in cells[at::2]] for at in (0, 1))
    for *terms, total in (a, b):
        assert abs(sum(terms) - total) < 0.005 * len(terms) + 0.005
    expect(fold).to_contain_text("this picture itself")
    fold.locator(".fg-cards-flip > summary").click()
    expect(fold.locator(".fg-cards-flip")).to_contain_text(re.compile("it would say|No cells of the labelled pictures"))
    page.keyboard.press("ArrowRight")  # the next picture unfolds its own
    expect(fold.locator(".fg-crop[data-painted]").first).to_be_visible()
