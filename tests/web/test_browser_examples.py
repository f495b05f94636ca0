"""In Chromium: whoever has no picture at hand begins with a published one."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, expect

from fgdemo.services.review.bulk import Shown
from fgdemo.values.annotation import OWNER, Publication
from tests.support.browser_app import complaints_of, running_app
from tests.support.workspace import some_pictures


def test_a_published_picture_is_an_example_until_it_is_withdrawn(browser: Browser, tmp_path: Path) -> None:
    with running_app(tmp_path) as app:
        app.workspace.take_in(some_pictures(3, 0))
        app.workspace.roster.follow()
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        complaints = complaints_of(page)
        page.goto(app.url)
        expect(page.locator(".fg-knows")).to_contain_text("Knows 5 kinds")
        expect(page.locator(".fg-examples")).to_have_count(0)  # nothing is published
        standing = [app.workspace.roster.standing(app.workspace.roster.image_ids[row]) for row in (0, 1, 3)]
        items = [Shown(one.image, one.version) for one in standing]
        app.services.review.publish(OWNER, items, Publication("Mia Miller", "CC BY 4.0"), "one")
        page.reload()
        expect(page.locator(".fg-examples button")).to_have_count(3)
        expect(page.locator(".fg-examples")).to_contain_text("Mia Miller · CC BY 4.0")
        assert page.locator(".fg-examples").inner_text().count("Nashville") == 0  # it would be no question any more
        page.get_by_role("button", name="Example 2").click()  # one of each kind in turn
        expect(page.locator(".fg-answer h1")).to_contain_text("Mourning Warbler")
        assert complaints == []
        page.goto(app.url)
        page.reload()
        expect(page.locator(".fg-examples button")).to_have_count(3)
        app.services.review.publish(OWNER, items, None, "two")
        page.get_by_role("button", name="Example 1").click()
        expect(page.locator(".fg-examples")).to_contain_text("not published any more")
        page.close()
