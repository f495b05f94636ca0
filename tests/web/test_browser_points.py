"""In Chromium: points are placed on Label and Review by mouse, touch and keys, and nothing that is unsaved is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from fgdemo.storage.history.points import PointLog
from fgdemo.values.points import PlacedPoint
from tests.support.browser_app import RunningApp, complaints_of, running_app, signed_in
from tests.support.workspace import some_pictures


@pytest.fixture
def app(tmp_path: Path) -> Iterator[RunningApp]:
    with running_app(tmp_path) as app:
        app.workspace.take_in(some_pictures(6, 1))
        app.workspace.learner.refresh()
        app.accounts.add("ada", "expert", "long enough")
        yield app


@pytest.fixture
def page(browser: Browser, app: RunningApp) -> Iterator[Page]:
    page = signed_in(browser, app, "ada")
    complaints = complaints_of(page)
    yield page
    page.context.close()
    assert complaints == []


def placed(app: RunningApp) -> dict[str, PlacedPoint]:
    """All points, by part."""
    return {part: point for points in PointLog(app.workspace.engine).all().values() for part, point in points.items()}


def opened(page: Page, app: RunningApp) -> None:
    page.goto(f"{app.url}#review?state=all")
    expect(page.locator(".fg-tile.is-cursor")).to_be_visible()
    page.keyboard.press("p")
    expect(page.locator(".fg-points-said")).not_to_be_empty()


def name_part(page: Page, name: str) -> None:
    page.get_by_label("A new part").fill(name)
    page.keyboard.press("Enter")
    expect(page.locator('.fg-points-part[aria-pressed="true"]')).to_contain_text(name)


def click_at(page: Page, x: float, y: float) -> None:
    box = page.locator(".fg-points-picture").bounding_box()
    assert box
    page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])


def test_points_are_named_clicked_moved_by_keys_and_kept(page: Page, app: RunningApp) -> None:
    opened(page, app)
    expect(page.locator(".fg-points-said")).to_contain_text("Name a part and click where it is")
    click_at(page, 0.5, 0.5)
    expect(page.locator(".fg-points .fg-form-message")).to_have_text("Name a part first.")
    name_part(page, "crown")
    click_at(page, 0.25, 0.5)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowUp")
    name_part(page, "wing")
    click_at(page, 0.75, 0.25)
    page.keyboard.press("z")  # the wing is not there after all
    expect(page.locator(".fg-points-mark")).to_have_count(1)
    click_at(page, 0.75, 0.75)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".fg-points .fg-form-message")).to_have_text("Saved.")
    found = placed(app)
    assert (found["crown"].x, found["crown"].y) == (pytest.approx(0.26, abs=0.01), pytest.approx(0.498, abs=0.01))
    assert (found["wing"].x, found["wing"].y) == (pytest.approx(0.75, abs=0.01), pytest.approx(0.75, abs=0.01))
    page.keyboard.press("1")
    page.keyboard.press("Delete")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".fg-points .fg-form-message")).to_have_text("Saved.")
    assert set(placed(app)) == {"wing"}
    page.get_by_role("button", name="Close the points").click()
    expect(page.locator(".fg-points")).to_have_count(0)
    expect(page.locator(".fg-inspector")).to_contain_text("wing")  # in the history of the picture


def test_guesses_are_drawn_on_the_next_picture_and_taken_only_when_said_so(page: Page, app: RunningApp) -> None:
    opened(page, app)
    name_part(page, "crown")
    for _ in range(2):
        click_at(page, 0.3, 0.3)
        source = page.locator(".fg-points-picture").get_attribute("src")
        page.keyboard.press("Enter")
        expect(page.locator(".fg-points-picture")).not_to_have_attribute("src", source or "")
    guess = page.locator(".fg-points-mark.is-guess")
    expect(guess).to_have_count(1)
    expect(page.locator(".fg-points-part")).to_contain_text("2 pictures · found 50 %")
    assert len(PointLog(app.workspace.engine).all()) == 2
    page.keyboard.press("a")
    expect(guess).to_have_count(0)
    page.keyboard.press("Enter")
    expect(page.locator(".fg-points-said")).to_contain_text("Points on 3 pictures")
    assert len(PointLog(app.workspace.engine).all()) == 3


def test_unsaved_points_are_not_left_by_one_press(page: Page, app: RunningApp) -> None:
    opened(page, app)
    name_part(page, "crown")
    click_at(page, 0.3, 0.3)
    page.keyboard.press("Escape")
    expect(page.locator(".fg-points .fg-form-message")).to_contain_text("1 point is not saved")
    page.keyboard.press("Escape")
    expect(page.locator(".fg-points")).to_have_count(0)
    assert placed(app) == {}


def test_a_key_answers_nothing_while_points_are_placed(page: Page, app: RunningApp) -> None:
    page.goto(f"{app.url}#label")
    page.get_by_role("button", name="Begin").click()
    expect(page.locator(".fg-choice").first).to_be_visible()
    page.keyboard.press("p")
    for key in ("x", "o", "u", "1", "g"):
        page.keyboard.press(key)
    expect(page.locator(".fg-points-said")).not_to_be_empty()
    page.keyboard.press("Escape")
    expect(page.locator(".fg-points")).to_have_count(0)
    assert {said.kind for said in app.events.since(0)} == {"import"}


def test_a_phone_places_points_by_touch(browser: Browser, app: RunningApp) -> None:
    page = signed_in(browser, app, "ada", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    opened(page, app)
    page.get_by_label("A new part").fill("crown")
    page.get_by_role("button", name="Add").tap()
    box = page.locator(".fg-points-picture").bounding_box()
    assert box
    page.touchscreen.tap(box["x"] + 0.5 * box["width"], box["y"] + 0.25 * box["height"])
    page.get_by_role("button", name="Save", exact=True).tap()
    expect(page.locator(".fg-points .fg-form-message")).to_have_text("Saved.")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.context.close()
    crown = placed(app)["crown"]
    assert (crown.x, crown.y) == (pytest.approx(0.5, abs=0.02), pytest.approx(0.25, abs=0.02))
