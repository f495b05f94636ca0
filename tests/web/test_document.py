"""The first document: what is there before any script, what it loads, and how long browsers may keep that."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser_app import RunningApp, complaints_of, running_app

MOST_REQUESTS = 25


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    with running_app(tmp_path_factory.mktemp("document")) as running:
        yield running


def test_heading_and_first_button_are_there_before_any_script(browser: Browser, app: RunningApp) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(app.url)
    expect(page.get_by_role("heading", name="Drop a photograph")).to_be_visible()
    expect(page.get_by_role("button", name="Choose a picture")).to_be_visible()
    context.close()


def test_the_first_page_asks_for_little_and_other_pages_come_when_they_are_opened(
    browser: Browser, app: RunningApp
) -> None:
    page = browser.new_page()
    complaints, asked = complaints_of(page), list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.goto(app.url)
    expect(page.locator(".fg-model")).to_contain_text("5 kinds")
    expect(page.get_by_role("button", name="Sign in")).to_be_enabled()
    assert len(asked) <= MOST_REQUESTS, asked
    assert len(asked) == len(set(asked))
    assert [url for url in asked if "/assets/" in url or re.search(r"/(label|review|train|data)/", url)] == []
    page.goto(f"{app.url}#label")
    expect(page.get_by_role("heading", name="Put labels right")).to_be_visible()
    assert any(url.endswith("/label/page.js") for url in asked)
    page.close()
    assert complaints == []


def test_every_module_of_the_first_page_is_named_in_the_document(browser: Browser, app: RunningApp) -> None:
    page = browser.new_page()
    asked = list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.goto(app.url)
    expect(page.locator('.fg-classify[data-ready="true"]')).to_be_visible()
    named = page.evaluate("[...document.querySelectorAll('link[rel=modulepreload]')].map((link) => link.href)")
    assert sorted(named) == sorted(url for url in asked if url.endswith(".js"))
    page.close()


def test_our_files_are_kept_for_ever_and_the_document_is_not(app: RunningApp) -> None:
    with httpx.Client(base_url=app.url) as web:
        document = web.get("")
        assert document.headers["cache-control"] == "no-cache"
        assert document.headers["content-encoding"] == "gzip"
        static = re.search(r"fgdemo-static/\w{12}", document.text)
        assert static
        for path in ("all.css", "head/nav.js", "fonts/plex-sans.woff2"):
            assert "immutable" in web.get(f"{static[0]}/{path}").headers["cache-control"]
        assert web.get(f"{static[0]}/nothing.js").headers.get("cache-control") is None
