"""A demo: the routes that it alone has, and in Chromium the first minute, from a start to a better model."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from fgdemo.commands.workspace.demo import demo_settings
from fgdemo.settings import Settings
from fgdemo.web import build_app, launch_options
from tests.support.browser_app import LIME, YELLOW, complaints_of, free_port, picture
from tests.support.workspace import open_fake_workspace, some_pictures

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(900)  # a busy machine draws, fits and judges for minutes


@contextmanager
def served_demo(folder: Path) -> Iterator[tuple[str, Path]]:
    """(address, where its folder lies) of `python app.py --demo`; it is stopped as Ctrl-C stops it."""
    port, log = free_port(), folder / "log"
    (temporary := folder / "tmp").mkdir()
    env = {**os.environ, "GRADIO_SERVER_PORT": str(port), "TMPDIR": str(temporary), "FGDEMO_HOME": str(folder / "home")}
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "app.py", "--demo"], cwd=ROOT, env=env, stdout=out, stderr=subprocess.STDOUT
        )
    try:
        while "Running on local URL" not in log.read_text():
            try:
                process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
            raise AssertionError(log.read_text())
        yield f"http://127.0.0.1:{port}", temporary
    finally:
        process.terminate()
        assert process.wait(60) == 0, log.read_text()
    assert list(temporary.glob("fgdemo-demo-*")) == []
    assert not (folder / "home").exists()


def card(page: Page, name: str) -> Any:
    return page.locator(f'[data-card="{name}"]')


def test_the_first_minute(browser: Browser, tmp_path: Path) -> None:
    with served_demo(tmp_path) as (url, temporary):
        assert len(list(temporary.glob("fgdemo-demo-*"))) == 1
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        context.set_default_timeout(60_000)
        page = context.new_page()
        complaints = complaints_of(page)
        page.goto(url)
        expect(page.locator(".fg-demo-said")).to_contain_text("This demo is being prepared. Step")
        expect(page.locator(".fg-demo-said")).to_contain_text("240 drawn birds", timeout=600_000)
        expect(page.locator(".fg-demo-card")).to_have_count(5)
        assert httpx.get(f"{url}/fgdemo/pictures.csv").status_code == 403  # a visitor gets none of it
        page.get_by_role("link", name="Review").click()
        expect(page.locator("#fg-demo")).to_be_hidden()  # where all of the window is needed
        page.locator(".fg-demo-folds").click()
        card(page, "wrong").get_by_role("link").click()
        expect(page.get_by_role("button", name="expert")).to_have_attribute("aria-pressed", "true")
        expect(page.locator('[data-plan="suspicion"]')).to_have_attribute("aria-checked", "true")
        page.get_by_role("button", name="Begin").click()
        expect(page.locator(".fg-given-name")).to_be_visible()
        given = page.locator(".fg-given-name").inner_text()
        page.keyboard.press("Enter")
        expect(page.locator(".fg-demo-folds")).to_have_text("Try: 0 of 5 done")
        page.locator(".fg-demo-folds").click()
        expect(card(page, "wrong")).to_contain_text("1 answered, 1 of 24 put right")
        assert given  # its label, which was wrong
        page.get_by_role("button", name="maintainer").click()
        expect(page.get_by_role("button", name="maintainer")).to_have_attribute("aria-pressed", "true")
        card(page, "promote").get_by_role("link").click()
        expect(page.locator("main")).to_contain_text("no kind worse")
        page.get_by_role("button", name="Make it live").click()
        page.locator(".fg-demo-folds").click()
        expect(card(page, "promote")).to_contain_text("It went live")
        page.get_by_role("button", name="visitor").click()
        expect(page.get_by_role("button", name="visitor")).to_have_attribute("aria-pressed", "true")
        assert complaints == []
        context.close()


@pytest.fixture(scope="module")
def demo_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A demo over a workspace of fakes."""
    from fgdemo.services.operating.demo import Demo
    from tests.support.browser_app import services_over, settings_in

    home = tmp_path_factory.mktemp("demo")
    workspace = open_fake_workspace(home)
    images = workspace.take_in(some_pictures(3, 2))
    services, demo = services_over(settings_in(home), workspace), Demo()
    demo.add_people(services.accounts)
    app = build_app(services)
    options = launch_options(services, demo)
    _, url, _ = app.launch(**options, server_port=free_port(), prevent_thread_lock=True, quiet=True)
    before = httpx.post(f"{url}fgdemo/demo/person", json={"role": "expert"})
    assert before.status_code == 503
    assert "still being prepared" in before.json()["error"]
    assert httpx.get(f"{url}fgdemo/demo").json()["stage"]["name"] == "drawing the birds"
    demo.open(workspace.engine, {}, teach=str(images))
    yield url.rstrip("/")
    app.close()
    workspace.engine.dispose()


def test_one_can_be_whoever_one_likes(demo_app: str) -> None:
    with httpx.Client(base_url=demo_app) as client:
        for role in ("maintainer", "expert"):
            reply = client.post("/fgdemo/demo/person", json={"role": role})
            assert reply.json() == {"name": f"demo {role}", "role": role}
            assert client.get("/fgdemo/me").json()["role"] == role
        cookie = next(value for name, value in reply.headers.multi_items() if name == "set-cookie")
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        before = client.cookies["fgdemo_sign_in"]
        assert client.post("/fgdemo/demo/person", json={"role": "visitor"}).json()["role"] == "visitor"
        assert httpx.get(f"{demo_app}/fgdemo/me", cookies={"fgdemo_sign_in": before}).json()["role"] == "visitor"


def test_an_answer_comes_into_view(demo_app: str, browser: Browser, tmp_path: Path) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(demo_app)
    expect(page.locator("#fg-demo")).to_be_visible()
    page.locator("input[type=file]").first.set_input_files(picture(tmp_path / "one.png", YELLOW, LIME))
    expect(page.locator(".fg-answer h1")).to_be_visible()
    expect(page.locator("#fg-demo")).to_be_hidden()
    page.close()


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Host": "evil.example"}, b'{"role": "maintainer"}', 403),
        ({"Host": "127.0.0.1.evil.example"}, b'{"role": "maintainer"}', 403),
        ({"Host": "[::1"}, b'{"role": "maintainer"}', 403),
        ({"Origin": "https://evil.example"}, b'{"role": "maintainer"}', 403),
        ({"Sec-Fetch-Site": "cross-site"}, b'{"role": "maintainer"}', 403),
        ({"Content-Type": "text/plain"}, b'{"role": "maintainer"}', 415),
        ({}, b'{"role": "owner"}', 400),
        ({}, b'{"role": ["maintainer"]}', 400),
        ({}, b"maintainer", 400),
        ({}, b"", 400),
        ({}, b'{"role": "maintainer", "more": "' + b"x" * 20_000 + b'"}', 400),
    ],
)
def test_nobody_is_made_somebody_by_another_page(
    demo_app: str, headers: dict[str, str], body: bytes, status: int
) -> None:
    sent = {"Content-Type": "application/json", **headers}
    reply = httpx.post(f"{demo_app}/fgdemo/demo/person", content=body, headers=sent)
    assert reply.status_code == status
    assert reply.json()["error"]
    assert "set-cookie" not in reply.headers


def test_another_name_of_this_machine_is_told_nothing(demo_app: str) -> None:
    assert httpx.get(f"{demo_app}/fgdemo/demo", headers={"Host": "evil.example"}).status_code == 403
    assert httpx.get(f"{demo_app}/fgdemo/demo").json()["tried"]["answered"] == 0


def test_only_a_demo_has_these_routes(tmp_path: Path) -> None:
    from tests.support.browser_app import running_app

    with running_app(tmp_path) as app:
        assert httpx.get(f"{app.url}fgdemo/demo").status_code == 404
        reply = httpx.post(f"{app.url}fgdemo/demo/person", json={"role": "maintainer"})
        assert reply.status_code in (404, 405)
        assert "set-cookie" not in reply.headers
        assert '"demo"' not in httpx.get(app.url).text


def test_the_settings_of_a_demo_are_its_own(tmp_path: Path) -> None:
    outside = Settings.from_env({"FGDEMO_HOME": str(tmp_path / "mine"), "FGDEMO_MAINTAINERS": "ada"})
    inside = demo_settings(outside, tmp_path / "demo")
    assert inside.home == tmp_path / "demo" / "workspace"
    assert inside.database_url == f"sqlite:///{inside.home / 'fgdemo.sqlite'}"
    assert inside.maintainers == ()
