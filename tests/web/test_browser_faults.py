"""In Chromium: hostile text is only text, and what cannot be stored is kept by the page and saved later."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from fgdemo.storage.history.events import EventLog, LabelEvent
from fgdemo.values.errors import UnavailableError
from tests.support.browser_app import RunningApp, complaints_of, running_app, signed_in
from tests.support.workspace import coloured, some_pictures
from tests.web.test_browser_label import answered, begin, press, saved

EVIL = "<img src=x onerror=pwned()><script>pwned()</script>"
NAME = "<b onclick=pwned()>ada</b>"


@pytest.fixture
def app(tmp_path: Path) -> Iterator[RunningApp]:
    with running_app(tmp_path) as running:
        evil = replace(coloured("lowchen", 5), name=f"{EVIL}.png", label=EVIL)
        running.workspace.take_in([*some_pictures(8, 3), evil])
        running.workspace.learner.refresh()
        yield running


def watched(browser: Browser, app: RunningApp, name: str) -> tuple[Page, list[str]]:
    """A page, and all that went wrong on it: scripts that ran, errors on the console."""
    app.accounts.add(name, "expert", "long enough")
    page = signed_in(browser, app, name)
    faults = complaints_of(page)
    page.expose_function("pwned", lambda: faults.append("a script ran"))
    page.on("dialog", lambda dialog: faults.append(dialog.message))
    return page, faults


def test_names_comments_and_suggestions_are_only_text(browser: Browser, app: RunningApp) -> None:
    page, faults = watched(browser, app, NAME)
    image = app.workspace.roster.image_ids[-1]
    kind, other = (
        app.workspace.taxa.add(f"{EVIL} too"),
        app.workspace.roster.standing(app.workspace.roster.image_ids[0]),
    )
    app.events.answer(LabelEvent(other.image, "label", NAME, taxon=kind.id, shown_version=other.version))
    app.events.append(LabelEvent(image, "suggestion", "visitor", new_name=EVIL, comment=EVIL))
    page.goto(f"{app.url}#label")
    page.get_by_text("Suggestions of visitors").click()
    page.get_by_role("button", name="Begin").click()
    expect(page.locator(f'.fg-label[data-image="{image}"]')).to_be_visible()
    expect(page.locator(".fg-sitting")).to_contain_text(EVIL)
    page.keyboard.press("c")
    page.keyboard.type(EVIL)
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    expect(page.locator(".fg-standing .fg-figures")).to_contain_text("1 done")
    saved(page)
    for view, shown in (("kinds", EVIL), ("annotators", NAME), ("pictures", f"{NAME} · expert")):
        page.goto(f"{app.url}#review?view={view}")
        expect(page.locator("body")).to_contain_text(shown)
    kept = app.events.history(image)[-1]
    assert (kept.kind, kept.comment, kept.annotator) == ("label", EVIL, NAME)
    assert page.locator('img[src="x"], [onclick*="pwned"], [onerror*="pwned"]').count() == 0
    page.context.close()
    assert faults == []


def test_what_cannot_be_stored_is_said_kept_and_saved_later(
    browser: Browser, app: RunningApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> LabelEvent:
        raise UnavailableError("The disk of the workspace is full, so nothing was stored: free some space.")

    page, faults = watched(browser, app, "ada")
    begin(page, app)
    with monkeypatch.context() as patch:
        patch.setattr(EventLog, "answer", full)
        press(page, "Enter")
        press(page, "u")
        banner = page.locator(".fg-label .fg-banner")
        expect(banner).to_contain_text("2 answers are not saved yet. The disk of the workspace is full")
        expect(banner).to_contain_text("They are kept here and sent again.")
        assert answered(app) == []
    saved(page)
    page.context.close()
    assert [kind for kind, _ in answered(app)] == ["label", "unsure"]
    assert faults == []
