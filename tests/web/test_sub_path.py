"""Behind a proxy below a path of its own, which strips that path or keeps it, with and without TLS before it."""

from __future__ import annotations

import asyncio
import io
import json
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from gradio_client import Client, handle_file
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client
from PIL import Image
from playwright.sync_api import Browser, expect
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from fgdemo.settings import Settings
from fgdemo.values.errors import SettingsError
from fgdemo.web.http.identity import COOKIE
from fgdemo.web.http.sub_path import SubPath
from tests.support.browser_app import YELLOW, RunningApp, complaints_of, picture, running_app
from tests.support.workspace import some_pictures
from tests.web.test_forbidden import PASSWORD

PREFIX = "/tools/fgdemo"
METHODS = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"]


@contextmanager
def proxy(upstream: str, keep: bool, told: dict[str, str]) -> Iterator[tuple[str, list[str]]]:
    """The address of a proxy, and what was asked outside of its sub-path or went wrong, which nothing may be."""
    client, astray = httpx.AsyncClient(base_url=upstream, timeout=None), []

    async def forward(request: Request) -> Response:
        path = request.url.path
        if path == "/favicon.ico":  # browsers ask for it there before the page can say where it is
            return Response(status_code=204)
        if not path.startswith(f"{PREFIX}/") and path != PREFIX:
            astray.append(path)
            return Response("the page of another program", 404)
        if path == PREFIX and not keep:  # as those do that strip
            return RedirectResponse(f"{PREFIX}/")
        url = (path if keep else path[len(PREFIX) :] or "/") + (f"?{request.url.query}" if request.url.query else "")
        headers = [(k, v) for k, v in request.headers.raw if k not in (b"connection", b"host")]
        headers += [(b"host", b"upstream.internal"), (b"x-forwarded-host", request.headers["host"].encode())]
        headers += [(name.encode(), value.encode()) for name, value in told.items()]
        body = request.stream() if request.method not in ("GET", "HEAD") else None
        reply = await client.send(client.build_request(request.method, url, headers=headers, content=body), stream=True)
        if reply.status_code >= 400:
            astray.append(f"{reply.status_code} {path}")

        async def content():
            async for some in reply.aiter_raw():
                yield some
            await reply.aclose()

        answer = StreamingResponse(content(), reply.status_code)
        answer.raw_headers = [
            (k, v) for k, v in reply.headers.raw if k.lower() not in (b"transfer-encoding", b"connection")
        ]
        return answer

    config = uvicorn.Config(Starlette(routes=[Route("/{p:path}", forward, methods=METHODS)]), port=0, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}", astray
    finally:
        server.should_exit = True
        thread.join(5)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    with running_app(tmp_path_factory.mktemp("home"), root_path=PREFIX, proxies=1) as running:
        running.accounts.add("ada", "maintainer", PASSWORD)
        running.workspace.take_in(some_pictures(8, 3))
        running.workspace.learner.refresh()
        yield running


def picture_bytes() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), YELLOW).save(file, "PNG")
    return file.getvalue()


def upstream_of(app: RunningApp) -> str:
    return re.match(r"http://[^/]+", app.url)[0]  # type: ignore[index]


@pytest.mark.parametrize("keep", [False, True], ids=["stripped", "kept"])
def test_the_page_works_below_a_path(app: RunningApp, browser: Browser, tmp_path: Path, keep: bool) -> None:
    with proxy(upstream_of(app), keep, {"x-forwarded-for": "203.0.113.9"}) as (url, astray):
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        page = context.new_page()
        complaints = complaints_of(page)
        page.goto(f"{url}{PREFIX}")
        page.locator("input[type=file]").first.set_input_files(picture(tmp_path / "a.png", YELLOW, YELLOW))
        expect(page.get_by_text("Nashville Warbler").first).to_be_visible()
        page.get_by_role("button", name="Sign in").first.click()
        page.locator("#fg-name").fill("ada")
        page.locator("#fg-password").fill(PASSWORD)
        page.locator("dialog button[type=submit]").click()
        expect(page.get_by_text("ada · maintainer")).to_be_visible()
        (cookie,) = [one for one in context.cookies() if one.get("name") == COOKIE]
        assert cookie.get("path") == "/"
        for tab in ("Label", "Review", "Train", "Data"):
            page.get_by_role("link", name=tab, exact=True).click()
            page.wait_for_load_state("networkidle")
        page.get_by_role("link", name="Review", exact=True).click()
        page.wait_for_function("[...document.images].some((one) => one.src.includes('/thumbnail') && one.naturalWidth)")
        assert (astray, complaints) == ([], [])
        context.close()


@pytest.mark.parametrize("keep", [False, True], ids=["stripped", "kept"])
@pytest.mark.parametrize(
    "told",
    [
        {"x-forwarded-proto": "https"},
        {"x-forwarded-proto": "HTTPS"},
        {"x-forwarded-proto": "https, http"},
        {"forwarded": "for=203.0.113.9;proto=https;host=example.org"},
        {"x-forwarded-ssl": "on"},
    ],
    ids=lambda told: next(iter(told.values())),
)
def test_behind_tls_every_address_is_one_of_tls(app: RunningApp, keep: bool, told: dict[str, str]) -> None:
    with (
        proxy(upstream_of(app), keep, told) as (url, astray),
        httpx.Client(base_url=f"{url}{PREFIX}/", timeout=60) as web,
    ):
        root = f"{url.replace('http:', 'https:')}{PREFIX}"
        page = web.get("").text
        assert "://" not in page, "its addresses are relative"
        assert web.get("config").json()["root"] == root
        assert f"{root}/gradio_api/mcp/" in web.get("gradio_api/mcp/").text
        assert web.get("gradio_api/mcp").status_code == 200
        assert web.get("gradio_api/mcp/http").headers.get("location", "/").startswith("/")
        assert web.get("healthz").json()["ready"]
        assert web.get(re.search(r"fgdemo-static/\w+/all.css", page)[0]).status_code == 200  # type: ignore[index]
        cookie = web.post("fgdemo/sign-in", json={"name": "ada", "password": PASSWORD}).headers["set-cookie"]
        assert "Secure" in cookie
        content = picture_bytes()
        (path,) = web.post("gradio_api/upload", files={"files": ("a.png", content)}).json()
        asked = {"picture": {"path": path, "meta": {"_type": "gradio.FileData"}}}
        event = web.post("gradio_api/call/v2/explain", json=asked).json()["event_id"]
        stream = web.get(f"gradio_api/call/explain/{event}").text
        sheet = json.loads(stream.partition("data: ")[2])[0]
        assert sheet["url"].startswith(f"{root}/gradio_api/file=")
        assert web.get(sheet["url"].removeprefix(f"{root}/")).headers["content-type"] == "image/png"
        assert astray == []


def test_a_folder_without_its_slash_leads_into_it(app: RunningApp) -> None:
    with proxy(upstream_of(app), True, {}) as (url, _):
        reply = httpx.get(f"{url}{PREFIX}")
        assert (reply.status_code, reply.headers["location"]) == (307, f"{PREFIX}/")


@pytest.mark.parametrize("host", ["a b", "x/y", "[", "exa mple.org:80", 'a"b', "<script>"])
def test_a_host_that_is_none_is_not_believed(app: RunningApp, host: str) -> None:
    reply = httpx.get(f"{upstream_of(app)}{PREFIX}/config", headers={"X-Forwarded-Host": host})
    assert (reply.status_code, reply.json()["root"]) == (200, f"{upstream_of(app)}{PREFIX}")


@pytest.mark.parametrize(
    ("written", "root_path"),
    [
        ("", ""),
        ("/", ""),
        ("/tools/fgdemo", PREFIX),
        ("/tools/fgdemo/", PREFIX),
        ("tools/fgdemo", PREFIX),
        ("//tools//fgdemo//", PREFIX),
        (" /tools/fgdemo ", PREFIX),
        ("https://example.org", "https://example.org"),
        ("https://example.org/tools/fgdemo/", f"https://example.org{PREFIX}"),
        ("http://[::1]:80/a", "http://[::1]:80/a"),
        ("/~ada/x.y", "/~ada/x.y"),
    ],
)
def test_the_path_may_be_written_in_any_way(written: str, root_path: str) -> None:
    settings = Settings.from_env({"GRADIO_ROOT_PATH": written})
    assert settings.root_path == root_path
    assert Settings.from_env(settings.variables({})).root_path == root_path


@pytest.mark.parametrize(
    "written", ["/a b", "/../x", "/a?b", "/a#b", "ftp://example.org/x", "https://", "/a%2Fb", "/ä"]
)
def test_what_is_no_path_is_refused(written: str) -> None:
    with pytest.raises(SettingsError, match="GRADIO_ROOT_PATH"):
        Settings.from_env({"GRADIO_ROOT_PATH": written})


def test_a_whole_address_is_what_the_page_is_told(tmp_path: Path) -> None:
    address = f"https://example.org{PREFIX}"
    with running_app(tmp_path, root_path=address) as app, proxy(upstream_of(app), False, {}) as (url, astray):
        with httpx.Client(base_url=f"{url}{PREFIX}/", timeout=60) as web:
            page = web.get("").text
            assert web.get("config").json()["root"] == address
            for path in (re.search(r"fgdemo-static/\w+/all.css", page)[0], "healthz", "fgdemo/me"):  # type: ignore[index]
                assert web.get(path).status_code == 200
        assert astray == []


@pytest.mark.parametrize("keep", [False, True], ids=["stripped", "kept"])
def test_programs_and_agents_work_below_a_path(app: RunningApp, tmp_path: Path, keep: bool) -> None:
    async def kinds_known(address: str) -> int:
        async with streamablehttp_client(address) as (read, write, _), ClientSession(read, write) as session:
            await session.initialize()
            return (await session.call_tool("about", {})).structuredContent["kinds_known"]  # type: ignore[index]

    with proxy(upstream_of(app), keep, {}) as (url, astray):
        addresses = [f"{url}{PREFIX}/gradio_api/mcp{end}" for end in ("", "/")]
        with ThreadPoolExecutor(1) as aside:  # the browser's own loop runs in this thread
            assert set(aside.map(lambda address: asyncio.run(kinds_known(address)), addresses)) == {5}
        client = Client(f"{url}{PREFIX}/", verbose=False)
        sheet = client.predict(handle_file(str(picture(tmp_path / "a.png", YELLOW, YELLOW))), api_name="/explain")
        assert Path(sheet).read_bytes()[:4] == b"\x89PNG"
        assert astray == []


def test_a_path_that_a_trusted_proxy_tells_needs_no_setting(tmp_path: Path) -> None:
    told = {"x-forwarded-prefix": f"{PREFIX}/", "x-forwarded-proto": "https", "x-forwarded-for": "203.0.113.9"}
    with running_app(tmp_path, proxies=1) as app:
        app.accounts.add("ada", "maintainer", PASSWORD)
        for keep in (False, True):
            with (
                proxy(upstream_of(app), keep, told) as (url, astray),
                httpx.Client(base_url=f"{url}{PREFIX}/", timeout=60) as web,
            ):
                root = f"{url.replace('http:', 'https:')}{PREFIX}"
                page = web.get("").text
                assert web.get("config").json()["root"] == root
                assert f"{root}/gradio_api/mcp/" in web.get("gradio_api/mcp/").text
                assert web.get(re.search(r"fgdemo-static/\w+/[\w/]+\.css", page)[0]).status_code == 200  # type: ignore[index]
                who = {"name": "ada", "password": PASSWORD}
                assert web.post("fgdemo/sign-in", json=who, headers={"Origin": url}).status_code == 200
                (path,) = web.post("gradio_api/upload", files={"files": ("a.png", picture_bytes())}).json()
                asked = {"picture": {"path": path, "meta": {"_type": "gradio.FileData"}}}
                event = web.post("gradio_api/call/v2/explain", json=asked).json()["event_id"]
                sheet = json.loads(web.get(f"gradio_api/call/explain/{event}").text.partition("data: ")[2])[0]
                assert sheet["url"].startswith(f"{root}/gradio_api/file=")
            assert astray == []


@pytest.mark.parametrize(
    ("told", "setting", "proxies", "prefix"),
    [
        ("/tools/fgdemo", "", 1, "/tools/fgdemo"),
        ("/tools/fgdemo/", "", 1, "/tools/fgdemo"),
        ("/a, /b", "", 2, "/a/b"),
        ("/tools/fgdemo", "", 0, ""),  # anybody may have written it
        ("/tools/fgdemo", "/set", 1, "/set"),
        *(
            (wrong, "", 1, "")
            for wrong in ("//evil.example", "/..", "/a/../b", "http://evil.example", "/a%2fb", "/a b", "a")
        ),
    ],
)
def test_whose_path_is_believed(told: str, setting: str, proxies: int, prefix: str) -> None:
    seen: list[tuple[str, str, list[str]]] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        seen.append((scope["root_path"], scope["path"], headers.getlist("x-forwarded-host")))
        assert "x-gradio-server" not in headers

    named = [(b"host", b"me.example"), (b"x-forwarded-prefix", told.encode()), (b"x-gradio-server", b"http://evil")]
    scope = {"type": "http", "scheme": "http", "path": "/config", "headers": named, "query_string": b""}
    asked = SubPath(inner, setting, proxies)(scope, None, None)  # type: ignore[arg-type]
    with ThreadPoolExecutor(1) as aside:  # where no browser's loop runs already
        aside.submit(asyncio.run, asked).result()
    assert seen == [(prefix, f"{prefix}/config", [f"me.example{prefix}"] if prefix and not setting else [])]
