"""Point and compare, on Classify, Label and Review: by mouse, keys and touch."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from fgdemo.values.labelled import LabelledPicture
from tests.support.browser_app import RunningApp, complaints_of, running_app, signed_in
from tests.unit.test_comparing import PLACES, A, B, marked, shade

DIALOG = ".fg-compare-dialog"
RINGS = f'{DIALOG} .fg-compare-stage[data-drawn="ring"]'


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))
        with running_app(tmp_path_factory.mktemp("home")) as running:
            running.accounts.add("ada", "expert", "long enough")
            running.workspace.take_in(
                [
                    LabelledPicture(f"{taxon}-{at}.png", taxon, "train", partial(marked, shade(at), taxon, place))
                    for taxon in (A, B)
                    for at, place in enumerate(PLACES)
                ]
            )
            running.workspace.learner.refresh()
            yield running


@pytest.fixture
def page(browser: Browser, app: RunningApp) -> Iterator[Page]:
    page = signed_in(browser, app, "ada")
    complaints = complaints_of(page)
    yield page
    page.context.close()
    assert complaints == []


def classified(page: Page, app: RunningApp, folder: Path, **drawn: object) -> Locator:
    """The canvas, with an answer on the screen."""
    path = folder / "asked.png"
    path.write_bytes(marked(2, **drawn))  # type: ignore[arg-type]
    page.goto(app.url)
    page.locator('.fg-classify input[type="file"]').set_input_files(path)
    expect(page.locator('.fg-classify[data-state="answered"] .fg-stage[data-drawn="map"]')).to_be_visible()
    return page.locator(".fg-classify .fg-stage canvas")


def click_at(canvas: Locator, x: float, y: float, aspect: float = 280 / 210) -> None:
    """A click at a place of the picture, which lies in the middle of its stage."""
    box = canvas.bounding_box()
    assert box is not None
    width, height = min(box["width"], box["height"] * aspect), min(box["height"], box["width"] / aspect)
    left, top = (box["width"] - width) / 2, (box["height"] - height) / 2
    canvas.click(position={"x": left + x * width, "y": top + y * height})


def sure(page: Page) -> None:
    expect(page.locator(RINGS)).to_have_count(3)


def test_a_click_shows_the_same_place_of_both_and_escape_gives_the_focus_back(
    page: Page, app: RunningApp, tmp_path: Path
) -> None:
    canvas = classified(page, app, tmp_path)
    click_at(canvas, 0.2, 0.3)
    sure(page)
    says = page.locator(".fg-compare-says")
    expect(says).to_contain_text(re.compile("This place.* (speaks for|says nothing)"))
    expect(says).to_contain_text("in all")
    expect(page.locator(".fg-compare-pane.is-a .fg-compare-caption")).to_contain_text("Nashville Warbler")
    expect(page.locator(".fg-compare-pane.is-a .fg-compare-caption")).to_contain_text("1 of 3")
    sizes = [stage.bounding_box() for stage in page.locator(f"{DIALOG} .fg-compare-stage").all()]
    assert len({(round(box["width"]), round(box["height"])) for box in sizes if box}) == 1
    page.keyboard.press("Escape")
    expect(page.locator(DIALOG)).to_have_count(0)
    expect(canvas).to_be_focused()


def test_the_ring_moves_in_all_by_keys_and_by_dragging_in_any(page: Page, app: RunningApp, tmp_path: Path) -> None:
    canvas = classified(page, app, tmp_path)
    click_at(canvas, 0.2, 0.3)
    sure(page)
    page.keyboard.press("m")
    expect(page.locator(f"{DIALOG}.is-wide")).to_be_visible()
    viewport = page.locator(DIALOG).bounding_box()
    assert viewport is not None
    assert (viewport["width"], viewport["height"]) == (1440, 900)
    says = page.locator(".fg-compare-says")
    before = says.text_content()
    own = page.locator(".fg-compare-pane.is-own canvas")
    expect(own).to_have_attribute("aria-label", re.compile("the ring is 20.% from the left, 30.% from the top"))
    for _ in range(12):
        page.keyboard.press("Shift+ArrowRight")
    expect(own).to_have_attribute("aria-label", re.compile("the ring is 80.% from the left"))
    expect(says).not_to_have_text(before or "")
    away = says.text_content()
    of_b = page.locator(".fg-compare-pane.is-b canvas")
    of_b.click()
    page.mouse.down()
    page.mouse.move(0, 0)
    page.mouse.up()
    expect(says).not_to_have_text(away or "")


def test_arrows_and_buttons_show_the_next_reference(page: Page, app: RunningApp, tmp_path: Path) -> None:
    click_at(classified(page, app, tmp_path), 0.2, 0.3)
    sure(page)
    caption = [page.locator(f".fg-compare-pane.is-{side} .fg-compare-caption") for side in "ab"]
    page.locator(".fg-compare-pane.is-a canvas").focus()
    page.keyboard.press("ArrowRight")
    expect(caption[0]).to_contain_text("2 of 3")
    expect(caption[1]).to_contain_text("1 of 3")
    page.get_by_role("button", name="Close", exact=True).focus()
    page.keyboard.press("ArrowLeft")
    expect(caption[0]).to_contain_text("1 of 3")
    expect(caption[1]).to_contain_text("3 of 3")
    page.get_by_role("button", name="Next picture of B").click()
    expect(caption[1]).to_contain_text("1 of 3")
    expect(page.get_by_role("button", name="Next picture of B")).to_be_focused()


def test_a_place_is_chosen_by_keys_alone(page: Page, app: RunningApp, tmp_path: Path) -> None:
    canvas = classified(page, app, tmp_path)
    canvas.focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".fg-classify .fg-compare-pointer")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".fg-classify .fg-compare-pointer")).to_be_hidden()
    page.keyboard.press("Enter")  # nothing was pointed at
    expect(page.locator(DIALOG)).to_have_count(0)
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    sure(page)


def test_zoom_crop_and_drag_are_no_pointing(page: Page, app: RunningApp, tmp_path: Path) -> None:
    canvas = classified(page, app, tmp_path)
    canvas.dblclick()
    page.keyboard.press("0")
    box = canvas.bounding_box()
    assert box is not None
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] + 40, middle[1] + 10, steps=3)
    page.mouse.up()
    page.keyboard.press("c")
    canvas.click()
    page.keyboard.press("Escape")
    page.evaluate("() => new Promise((done) => setTimeout(done, 400))")  # longer than a click waits for a second one
    expect(page.locator(DIALOG)).to_have_count(0)


def test_compare_by_key_begins_where_it_speaks_most_for_a(page: Page, app: RunningApp, tmp_path: Path) -> None:
    classified(page, app, tmp_path)
    page.keyboard.press("m")
    expect(page.locator(f"{DIALOG}.is-wide")).to_be_visible()
    expect(page.locator(".fg-compare-says")).to_contain_text("speaks for Nashville Warbler")
    page.keyboard.press("?")  # a key of the page below
    expect(page.locator("dialog[open]")).to_have_count(1)


def test_a_place_that_nothing_looks_like_is_not_visible_there(page: Page, app: RunningApp, tmp_path: Path) -> None:
    canvas = classified(page, app, tmp_path)

    def surer(route: Route) -> None:
        if (route.request.post_data_json or {}).get("fn_name") != "compare":
            return route.fallback()
        reply = route.fetch()
        return route.fulfill(response=reply, json={**reply.json(), "least": 2})

    page.route("**/gradio_api/component_server/", surer)
    click_at(canvas, 0.2, 0.3)
    for side in "ab":
        expect(page.locator(f".fg-compare-pane.is-{side}")).to_contain_text("Not visible here")
    expect(page.locator(RINGS)).to_have_count(1)
    page.locator(".fg-compare-pane.is-b canvas").click()
    expect(page.locator(".fg-compare-says")).to_have_text("Nothing in the picture looks like this place")


def test_visitors_are_shown_no_picture_that_is_not_published(browser: Browser, app: RunningApp, tmp_path: Path) -> None:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    click_at(classified(page, app, tmp_path), 0.2, 0.3)
    expect(page.locator(".fg-compare-pane.is-b")).to_contain_text("There is no picture of Mourning Warbler")
    expect(page.locator(RINGS)).to_have_count(1)
    assert not any("/fgdemo/pictures/" in url for url in asked)
    page.close()


def test_by_touch_the_panes_are_stacked_on_a_phone(browser: Browser, app: RunningApp, tmp_path: Path) -> None:
    page = signed_in(browser, app, "ada", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    canvas = classified(page, app, tmp_path)
    canvas.tap()
    sure(page)
    boxes = [pane.bounding_box() for pane in page.locator(f"{DIALOG} .fg-compare-pane").all()]
    tops = [box["y"] for box in boxes if box]
    assert tops == sorted(tops)
    assert len(set(tops)) == 3
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    page.context.close()


def test_on_label_m_compares_and_no_key_answers_meanwhile(page: Page, app: RunningApp) -> None:
    page.goto(f"{app.url}#label")
    page.get_by_role("button", name="Begin").click()
    expect(page.locator(".fg-item-bars *").first).to_be_visible()
    image = page.locator(".fg-label").get_attribute("data-image")
    page.keyboard.press("m")
    sure(page)
    page.keyboard.press("2")
    page.keyboard.press("Escape")
    expect(page.locator(DIALOG)).to_have_count(0)
    assert page.locator(".fg-label").get_attribute("data-image") == image
    assert [said for said in app.events.since(0) if said.annotator == "ada"] == []
    click_at(page.locator(".fg-label .fg-stage canvas"), 0.5, 0.5)
    sure(page)


def test_on_review_a_click_compares(page: Page, app: RunningApp) -> None:
    page.goto(f"{app.url}#review?state=all")
    page.locator(".fg-tile").first.click()
    expect(page.locator('.fg-inspector .fg-stage[data-drawn="map"]')).to_be_visible()
    click_at(page.locator(".fg-inspector .fg-stage canvas"), 0.5, 0.5)
    sure(page)
    page.keyboard.press("Escape")
    page.keyboard.press("m")
    expect(page.locator(f"{DIALOG}.is-wide")).to_be_visible()


def test_a_reference_that_cannot_be_shown_any_more_says_so(page: Page, app: RunningApp, tmp_path: Path) -> None:
    canvas = classified(page, app, tmp_path)
    page.route(
        re.compile("/fgdemo/pictures/.*/display"),
        lambda route: route.fulfill(body="no picture", content_type="image/jpeg"),
    )
    click_at(canvas, 0.2, 0.3)
    expect(page.locator(".fg-compare-pane.is-a")).to_contain_text("cannot be shown any more")
    page.unroute_all()
