"""Taking an import back on the Data page, and removing a picture on Review, in Chromium."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from fgdemo.storage.history.events import LabelEvent
from tests.support.browser_app import RunningApp, complaints_of, running_app, signed_in
from tests.support.workspace import coloured, some_pictures

RUN = "2026-02-02T10:00:00+00:00"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    with running_app(tmp_path_factory.mktemp("home")) as running:
        running.accounts.add("mia", "maintainer", "long enough")
        running.workspace.take_in(some_pictures(4, 1), run="2026-01-01T00:00:00+00:00")
        running.workspace.take_in([coloured("lowchen", 5000 + n, "100CANON") for n in range(3)], run=RUN)
        running.workspace.learner.refresh()
        yield running


@pytest.fixture
def page(browser: Browser, app: RunningApp) -> Iterator[Page]:
    page = signed_in(browser, app, "mia")
    complaints = complaints_of(page)
    yield page
    page.context.close()
    assert [one for one in complaints if "404" not in one] == []


def test_a_picture_is_removed_when_asked_once(page: Page, app: RunningApp) -> None:
    image = app.workspace.roster.image_ids[0]
    page.goto(f"{app.url}#review?state=all&sort=newest")
    tiles = page.locator(".fg-tile")
    expect(tiles).to_have_count(16)
    tiles.last.click()
    page.keyboard.press("Delete")
    dialog = page.get_by_role("dialog").filter(has_text="for good?")
    expect(dialog).to_contain_text("What was said about it stays as history")
    dialog.get_by_role("button", name="Not now").click()
    assert image in app.workspace.images
    page.get_by_role("button", name="Remove for good…").click()
    dialog.get_by_label("Why").fill("its owner asked")
    dialog.get_by_role("button", name="Remove it for good").click()
    expect(page.locator(".fg-bulk")).to_contain_text("1 picture removed for good.")
    expect(tiles).to_have_count(15)
    assert not app.workspace.images.holds(image)
    assert app.workspace.events.history(image)[-1].comment == "its owner asked"


def test_an_import_is_taken_back_and_says_what_was_labelled(page: Page, app: RunningApp) -> None:
    workspace = app.workspace
    images = [image for image in workspace.roster.image_ids if workspace.roster.standing(image).taxon == "100canon"]
    assert len(images) == 3
    page.goto(f"{app.url}#data")
    row = page.locator(".fg-imports li").first
    expect(row).to_contain_text("3 pictures")
    row.get_by_role("button", name="Take back").click()
    dialog = page.locator(".fg-data dialog")
    expect(dialog).to_contain_text("3 pictures are removed for good")
    version = workspace.roster.standing(images[0]).version
    workspace.events.answer(LabelEvent(images[0], "label", "ada", taxon="lowchen", shown_version=version))
    dialog.get_by_role("button", name="Take it back").click()
    expect(dialog).to_contain_text("labelled since, so nothing was taken back")
    assert all(image in workspace.images for image in images)
    dialog.get_by_role("button", name="Not now").click()
    row.get_by_role("button", name="Take back").click()
    expect(dialog).to_contain_text("1 of the removed has been labelled since, by ada")
    dialog.get_by_role("button", name="Take it back all the same").click()
    expect(row).to_contain_text("taken back")
    expect(row.get_by_role("button")).to_have_count(0)
    assert not any(workspace.images.holds(image) for image in images)
    assert [said.kind for said in workspace.events.history(images[0])] == ["import", "label", "unusable"]
