"""The databases that the tests of the store run on, and the browser of those of the page."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.support.postgres import Cluster

if "PYTEST_XDIST_WORKER" in os.environ:  # before torch is imported: each core has a worker of its own
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """A command sets up the logs of its whole process: the next test is not to write to streams that are closed."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A PostgreSQL server for the whole run; with pytest-xdist, of each worker."""
    cluster = Cluster()
    yield cluster
    cluster.remove()


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], str]:
    """Makes URLs of empty databases, first of SQLite, then the same test again with PostgreSQL."""
    if request.param == "sqlite":
        return lambda: f"sqlite:///{tmp_path_factory.mktemp('database') / 'fgdemo.sqlite'}"
    return request.getfixturevalue("postgres").new_database


@pytest.fixture
def database_url(new_database: Callable[[], str]) -> str:
    """The URL of an empty database of either kind."""
    return new_database()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, as the system has it: the shell without windows draws a page at a third of the work.

    On a busy machine a page may take long to come.
    """
    expect.set_options(timeout=60_000)
    programs = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    chromium = next(filter(None, map(shutil.which, programs)), None)
    assert chromium, "These tests need Chromium: apt-get install chromium-headless-shell, or chromium"
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        yield browser
        browser.close()
