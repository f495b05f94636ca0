"""Label Studio's own page in a headless Chromium, for `record_label_studio.py`; no part of the app."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from playwright.sync_api import Browser, Page, sync_playwright

SETTLES_MS = 1500
"""Choices and texts reach the page's state a moment after they can be seen."""


@dataclass(frozen=True)
class Annotator:
    """One person's tab, signed in, on a project of a Label Studio at `url`."""

    url: str
    project: int
    page: Page

    def open(self, task: int) -> None:
        """Open a task from the list of all."""
        self.page.goto(f"{self.url}/projects/{self.project}/data?task={task}")
        self.page.locator(".lsf-choice__checkbox").first.wait_for()
        self._settle()

    def another(self) -> None:
        """Begin an annotation beside those that the open task has."""
        self.page.get_by_label("Create an annotation").click()
        self._settle()

    def choose(self, kind: str) -> None:
        self.page.locator(f'input.ant-checkbox-input[name="{kind}"]').click()
        self._settle()

    def comment(self, text: str) -> None:
        """Write a comment, or another in the place of the one that is there."""
        there = self.page.get_by_test_id("htx-textbox-view").filter(has=self.page.locator('[name^="comment:"]'))
        if there.count():
            there.get_by_test_id("htx-textbox-edit-button").click()
        box = self.page.locator('input[name="comment"], input[name^="comment:"]')
        box.fill(text)
        box.press("Enter")
        self._settle()

    def submit(self) -> None:
        self._saved("Submit current annotation")

    def update(self) -> None:
        self._saved("submit")

    def skip_next(self) -> None:
        """Label all tasks in turn, and pass over the first that is dealt."""
        self.page.goto(f"{self.url}/projects/{self.project}/data?labeling=1")
        self.page.get_by_label("skip-task").wait_for()
        self._settle()
        self._saved("skip-task")

    def leave(self) -> None:
        """Go away without submitting: Label Studio keeps a draft of what was chosen."""
        with self.page.expect_response(lambda answer: "/drafts" in answer.url and answer.request.method == "POST"):
            pass
        self.page.goto(self.url)

    def _saved(self, button: str) -> None:
        """Press it, and wait until the server has what it sends."""
        with self.page.expect_response(
            lambda answer: "/annotations" in answer.url and answer.request.method in ("POST", "PATCH")
        ) as told:
            self.page.get_by_label(button, exact=True).click()
        assert told.value.ok, (told.value.url, told.value.status)
        self._settle()

    def _settle(self) -> None:
        self.page.wait_for_timeout(SETTLES_MS)


@contextmanager
def annotators(url: str, project: int, known: tuple[str, str], new: str) -> Iterator[tuple[Annotator, Annotator]]:
    """Two people on one project.

    Args:
        known: address and password of the one who has an account.
        new: address of the other, who signs up.
    """
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield (
            Annotator(url, project, _signed_in(browser, f"{url}/user/login/", *known)),
            Annotator(url, project, _signed_in(browser, f"{url}/user/signup/", new, "another-of-yours")),
        )
        browser.close()


def _signed_in(browser: Browser, address: str, mail: str, password: str) -> Page:
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.goto(address)
    page.fill("input[name=email]", mail)
    page.fill("input[name=password]", password)
    page.locator("button[type=submit]").first.click()
    page.wait_for_url(f"{address.split('/user/')[0]}/**")
    page.wait_for_load_state("networkidle")
    return page
