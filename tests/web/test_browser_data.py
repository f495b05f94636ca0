"""The Data page in Chromium: pictures in by the browser, out as one file, people."""

from __future__ import annotations

import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser_app import RunningApp, complaints_of, running_app, signed_in
from tests.support.workspace import coloured, some_pictures

BATCH = "0123456789abcdef" * 2


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    with running_app(tmp_path_factory.mktemp("home")) as running:
        running.accounts.add("mia", "maintainer", "long enough")
        running.accounts.add("ada", "expert", "long enough")
        yield running


@pytest.fixture
def page(browser: Browser, app: RunningApp) -> Iterator[Page]:
    page = signed_in(browser, app, "mia")
    complaints = complaints_of(page)
    yield page
    page.context.close()
    assert complaints == []


def a_zip(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for picture in some_pictures(4, 0):
            archive.writestr(f"{picture.label}/{picture.name}", picture.load())
        archive.writestr("eskimo_dog/broken.png", b"no picture")
    return path


def test_a_zip_comes_in_and_goes_out_again(page: Page, app: RunningApp, tmp_path: Path) -> None:
    page.goto(f"{app.url}#data")
    page.locator('[data-field="files"]').set_input_files(a_zip(tmp_path / "birds.zip"))
    transfer = page.locator(".fg-transfer")
    expect(transfer).to_contain_text("Bring in 13 pictures?")
    expect(transfer).to_contain_text("12 are new, 1 cannot be read")
    expect(transfer.locator("img")).to_have_count(12)
    assert len(app.workspace.roster) == 0
    page.reload()  # the question is still there
    expect(transfer).to_contain_text("Bring in 13 pictures?")
    page.get_by_role("button", name="Bring them in").click()
    expect(transfer).to_contain_text("12 pictures came in")
    expect(transfer).to_contain_text("1 left out")
    assert list((app.services.settings.home / "incoming").iterdir()) == []
    page.reload()  # what a transfer has brought is still there
    expect(transfer).to_contain_text("12 pictures came in")
    page.get_by_label("Folders").check()
    page.get_by_role("button", name="Prepare the download").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    names = zipfile.ZipFile(download.value.path()).namelist()
    assert sum(name.endswith(".png") for name in names) == 12
    assert len({name.split("/")[-2] for name in names if name.endswith(".png")}) == 3


def test_a_folder_of_loose_pictures_is_asked_about_and_comes_in_unsorted(
    page: Page, app: RunningApp, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "Holiday.zip", "w") as archive:
        for n in range(3):
            archive.writestr(f"Holiday/IMG_{n}.png", coloured("lowchen", 8000 + n).load())
    page.goto(f"{app.url}#data")
    transfer = page.locator(".fg-transfer")
    before = app.workspace.taxa.load().leaves
    for answer in ("Leave it", "Bring them in"):
        page.locator('[data-field="files"]').set_input_files(tmp_path / "Holiday.zip")
        expect(transfer).to_contain_text("All lie in “Holiday”. Is that what they show?")
        page.get_by_label("No, they are unsorted").check()
        page.get_by_role("button", name=answer).click()
        expect(transfer).to_contain_text("Nothing was brought in." if answer == "Leave it" else "3 pictures came in")
    assert app.workspace.taxa.load().leaves == before
    expect(page.locator(".fg-imports li").first).to_contain_text("3 pictures")


def test_what_a_browser_does_not_send_is_named(page: Page, app: RunningApp, tmp_path: Path) -> None:
    for name in ("Thumbs.db", ".hidden.png"):
        (tmp_path / name).write_bytes(b"no picture")
    page.goto(f"{app.url}#data")
    expect(page.locator(".fg-data-body")).to_be_visible()
    page.locator('[data-field="files"]').set_input_files([tmp_path / "Thumbs.db", tmp_path / ".hidden.png"])
    transfer = page.locator(".fg-transfer")
    expect(transfer).to_contain_text("Thumbs.db, .hidden.png (hidden, or left by a system) were not sent")
    expect(transfer).to_have_attribute("data-state", "failed")


def test_what_cannot_be_read_is_a_sentence(page: Page, app: RunningApp) -> None:
    page.goto(f"{app.url}#data")
    page.get_by_label("or from the server").fill("/there/is/nothing")
    page.get_by_role("button", name="Bring in").click()
    expect(page.locator(".fg-transfer")).to_have_attribute("data-state", "failed")
    expect(page.locator(".fg-transfer")).to_contain_text("nothing")


def test_people_are_made_and_changed(page: Page, app: RunningApp) -> None:
    page.goto(f"{app.url}#data")
    page.get_by_placeholder("Name", exact=True).fill("bo <b>")
    page.get_by_placeholder("Password").fill("short")
    page.get_by_role("button", name="Add").click()
    assert [account.name for account in app.accounts.all()] == ["ada", "mia"]
    page.get_by_placeholder("Password").fill("long enough")
    page.get_by_role("button", name="Add").click()
    row = page.locator(".fg-people li", has_text="bo <b>")
    row.get_by_role("combobox").select_option("visitor")
    row.get_by_role("button", name="Disable").click()
    expect(row.get_by_role("button", name="Enable")).to_be_visible()
    (bo,) = [account for account in app.accounts.all() if account.name == "bo <b>"]
    assert (bo.role, bo.disabled) == ("visitor", True)
    expect(page.locator(".fg-people li", has_text="mia").get_by_role("combobox")).to_have_count(0)


def test_an_expert_sees_a_sentence(browser: Browser, app: RunningApp) -> None:
    page = signed_in(browser, app, "ada")
    page.goto(f"{app.url}#data")
    expect(page.locator(".fg-data")).to_contain_text("Only maintainers")
    page.context.close()


# --- without a page -----------------------------------------------------------------------------------------------


def http(
    app: RunningApp, method: str, path: str, token: str = "", content_type: str | None = None
) -> tuple[int, bytes]:
    request = urllib.request.Request(
        f"{app.url}fgdemo/data/{path}",
        b"x" if method == "PUT" else None,
        {"Cookie": f"fgdemo_sign_in={token}"},
        method=method,
    )
    if content_type:
        request.add_header("Content-Type", content_type)
    try:
        with urllib.request.urlopen(request) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_only_a_maintainer_sends_and_fetches_files(app: RunningApp) -> None:
    binary = "application/octet-stream"
    expert, maintainer = (app.accounts.sign_in(name, "long enough") for name in ("ada", "mia"))
    for token in ("", expert, "forged"):
        assert http(app, "PUT", f"incoming/{BATCH}?path=a.jpg", token, binary)[0] == 403
        assert http(app, "GET", "export", token)[0] == 403
        assert http(app, "GET", "left-out.csv", token)[0] == 403
    assert http(app, "PUT", f"incoming/{BATCH}?path=a.jpg", maintainer, "text/plain")[0] == 415
    assert http(app, "PUT", "incoming/short?path=a.jpg", maintainer, binary)[0] == 400
    assert http(app, "GET", "..%2f..%2ffgdemo.sqlite", maintainer)[0] == 404
    assert http(app, "PUT", f"incoming/{BATCH}?path=..%2F..%2Fa.jpg", maintainer, binary)[0] == 200
    assert [
        found.relative_to(app.services.settings.home).as_posix() for found in app.services.settings.home.rglob("a.jpg")
    ] == [f"incoming/{BATCH}/a.jpg"]
