"""What comes over HTTP from strangers: too much of it, from elsewhere, under false names; against the real page."""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from fgdemo.settings import Settings
from fgdemo.web.http.guard import LARGEST_BODY_BYTES, Guard
from fgdemo.web.http.identity import COOKIE
from tests.support.browser_app import LIME, YELLOW, RunningApp, picture, running_app
from tests.support.workspace import some_pictures
from tests.web.test_forbidden import PASSWORD, ask, http, questions

CANARY = "canary-5f2c9a"
JSON = {"Content-Type": "application/json"}
FOREIGN = {"Origin": "https://evil.example", **JSON}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    home = tmp_path_factory.mktemp("home")
    (home / "secret.txt").write_text(CANARY)
    (home.parent / "beside.txt").write_text(CANARY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(home / "uploads"))
        with running_app(home) as running:
            running.accounts.add("ada", "expert", PASSWORD)
            running.accounts.add("mia", "maintainer", PASSWORD)
            running.workspace.take_in(some_pictures(3, 1))
            running.workspace.learner.refresh()
            yield running


@pytest.fixture
def web(app: RunningApp) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=app.url, timeout=60) as client:
        yield client


def upload(web: httpx.Client, name: str, content: bytes) -> str:
    return web.post("gradio_api/upload", files={"files": (name, content)}).raise_for_status().json()[0]


# --- the guard alone, around two routes ---------------------------------------------------------------------------


async def echo(request: Request) -> JSONResponse:
    return JSONResponse({"received": len(await request.body())})


async def broken(request: Request) -> JSONResponse:
    raise KeyError(CANARY)


def guarded(**changes: Any) -> httpx.AsyncClient:
    settings = Settings(
        home=Path("x"), checkpoint=Path("x"), device="cpu", max_upload_mb=1, max_picture_mp=60, **changes
    )
    paths = ("/gradio_api/upload", "/gradio_api/call/x", "/fgdemo/sign-in", "/fgdemo/data/incoming/a")
    routes = [Route(path, echo, methods=["POST", "PUT"]) for path in paths]
    routes += [Route(path, broken) for path in ("/fgdemo/broken", "/config")]
    app = Starlette(routes=routes, middleware=[Middleware(Guard, settings=settings)])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here.example")


def answers(client: httpx.AsyncClient, *requests: dict[str, Any]) -> list[httpx.Response]:
    async def all_of_them() -> list[httpx.Response]:
        async with client:
            return [await client.request(**{"method": "POST", **one}) for one in requests]

    return asyncio.run(all_of_them())


async def drops(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * 100_000


def test_no_route_takes_more_than_it_needs_whatever_length_is_told() -> None:
    sent, counted = guarded(), {"content": b"x" * (LARGEST_BODY_BYTES + 1)}
    replies = answers(
        sent,
        {"url": "/gradio_api/call/x", **counted},
        {"url": "/gradio_api/call/x", "content": drops(60)},
        {"url": "/gradio_api/upload", "content": drops(60)},
        {"url": "/gradio_api/call/x", "content": drops(30)},
        {"url": "/gradio_api/upload", "content": drops(9)},
        {"url": "/fgdemo/data/incoming/a", "content": drops(60), "method": "PUT"},
    )
    assert [one.status_code for one in replies] == [413, 413, 413, 200, 200, 200]


def test_uploads_and_signing_in_have_a_rate_for_each_address() -> None:
    tries = [{"url": "/fgdemo/sign-in", "headers": {"X-Forwarded-For": f"9.9.9.{n}"}} for n in range(40)]
    replies = answers(guarded(), *tries)  # an address that anybody may write is not believed
    assert sum(one.status_code == 429 for one in replies) == 10
    assert int(replies[-1].headers["retry-after"]) >= 1
    assert re.fullmatch(r"[A-Z].*try again in \d+ seconds?\.", replies[-1].json()["error"])
    assert all(one.status_code == 200 for one in answers(guarded(proxies=1), *tries))
    replies = answers(guarded(asks_per_minute=5), *[{"url": "/gradio_api/upload/"} for _ in range(8)])
    assert [one.status_code for one in replies].count(429) == 3


def test_an_error_is_a_sentence_without_a_trace_and_gradios_are_no_fault_of_the_server() -> None:
    ours, theirs = answers(guarded(), {"url": "/fgdemo/broken", "method": "GET"}, {"url": "/config", "method": "GET"})
    assert (ours.status_code, theirs.status_code) == (500, 400)
    assert CANARY not in ours.text + theirs.text
    assert "Traceback" not in ours.text + theirs.text


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),  # a program
        ({"Origin": "http://here.example"}, True),
        ({"Origin": "http://here.example", "Sec-Fetch-Site": "same-origin"}, True),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://here.example.evil.example"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://other.here.example"}, False),
        ({"Origin": "https://evil.example", "X-Forwarded-Host": "evil.example"}, False),
    ],
)
def test_another_website_cannot_send_in_the_name_of_who_is_signed_in(headers: dict[str, str], allowed: bool) -> None:
    cookie = {"Cookie": f"{COOKIE}=something"}
    signed_in, ours, nobody = answers(
        guarded(),
        {"url": "/gradio_api/call/x", "headers": {**headers, **cookie}},
        {"url": "/fgdemo/sign-in", "headers": headers},
        {"url": "/gradio_api/call/x", "headers": headers},
    )
    assert (signed_in.status_code, ours.status_code) == ((200, 200) if allowed else (403, 403))
    assert nobody.status_code == 200  # what anybody may do, from wherever


def test_who_may_show_the_page_in_a_frame() -> None:
    (alone,) = answers(guarded(), {"url": "/fgdemo/sign-in"})
    assert "frame-ancestors 'self'" in alone.headers["content-security-policy"]
    assert alone.headers["x-frame-options"] == "SAMEORIGIN"
    (framed,) = answers(guarded(frame_ancestors="https://huggingface.co"), {"url": "/fgdemo/sign-in"})
    assert "frame-ancestors 'self' https://huggingface.co" in framed.headers["content-security-policy"]
    assert "x-frame-options" not in framed.headers


# --- the real page ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "",
        "config",
        "gradio_api/info",
        "fgdemo/me",
        "fgdemo/pictures.csv",
        "nowhere",
        "gradio_api/file=/etc/passwd",
        "theme.css",
    ],
)
def test_every_answer_has_safe_headers(web: httpx.Client, path: str) -> None:
    headers = web.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["content-security-policy"]
    assert (
        "unsafe" not in headers["content-security-policy"] or "default-src 'self'" in headers["content-security-policy"]
    )


HTML = b"<html><script>document.title = 'ran'</script></html>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>document.title = "ran"</script></svg>'


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.svg", SVG), ("a.html", HTML), ("a.png", HTML), ("a.jpg", SVG), ("a.xhtml", HTML), ("a", HTML), ("a.xml", SVG)],
)
def test_an_upload_never_runs_whatever_it_is(web: httpx.Client, name: str, content: bytes) -> None:
    served = web.get(f"gradio_api/file={upload(web, name, content)}")
    if served.status_code == 200:
        assert "sandbox" in served.headers["content-security-policy"]
        assert served.headers["x-content-type-options"] == "nosniff"
        kind = served.headers["content-type"]
        assert not re.search("html|svg|xml", kind) or "attachment" in served.headers["content-disposition"], kind


def test_no_file_but_an_upload_is_read(app: RunningApp, web: httpx.Client) -> None:
    home = app.services.settings.home
    own = upload(web, "a.png", b"mine")
    image = app.workspace.roster.image_ids[0]
    targets = [
        home / "secret.txt",
        home / "fgdemo.sqlite",
        home.parent / "beside.txt",
        app.images.path(image),
        Path("README.md").resolve(),
        Path("/etc/passwd"),
        Path(f"{own}/../../../secret.txt"),
    ]
    forms = [
        "gradio_api/file={}",
        "gradio_api/file%3D{}",
        "file={}",
        "gradio_api/file/{}",
        "gradio_api/proxy=file://{}",
        "gradio_api/proxy=http://127.0.0.1{}",
        "static/..%2f..%2f..{}",
        "assets/%2e%2e/%2e%2e{}",
        "svelte/..{}",
        "gradio_api/stream/x/1/1/playlist-file?path={}",
        "custom_component/1/client/component/..%2f..{}",
        "fgdemo/data/..%2f{}",
        "fgdemo/pictures/..%2f{}/display",
        "gradio_api/upload_progress?upload_id={}",
    ]
    static = re.search(r"fgdemo-static/\w+", web.get("").text)
    assert static
    forms += [f"{static[0]}/..%2f..%2f..%2f..%2f..%2f..%2f..{{}}", f"{static[0]}/{{}}"]
    for number, form in enumerate(forms):
        for target in targets if number == 0 else targets[:2]:
            reply = web.get(form.format(target))
            assert CANARY not in reply.text, (form, target)
            assert reply.status_code in (400, 403, 404, 405, 422), (form, target, reply.status_code)
    assert web.get(f"gradio_api/file={own}").content == b"mine"


def test_no_name_of_an_upload_leads_out(app: RunningApp, web: httpx.Client) -> None:
    uploads = (app.services.settings.home / "uploads").resolve()
    for name in ("../../x.png", "/etc/x.png", "..\\..\\x.png", "a/../../../x.png", "%2e%2e%2fx.png", ".." * 100 + "/x"):
        assert Path(upload(web, name, b"x")).resolve().is_relative_to(uploads), name
    token = {"Cookie": f"{COOKIE}={app.accounts.sign_in('mia', PASSWORD)}", "Content-Type": "application/octet-stream"}
    before = {path for path in app.services.settings.home.rglob("*") if "incoming" not in path.parts}
    for batch, name in (
        ("0" * 32, "../../../out.png"),
        ("0" * 32, "/out.png"),
        ("..%2f..", "out.png"),
        ("a" * 31, "x"),
    ):
        web.put(f"fgdemo/data/incoming/{batch}", params={"path": name}, content=b"x", headers=token)
    assert {path for path in app.services.settings.home.rglob("*") if "incoming" not in path.parts} == before


def test_a_model_or_a_job_is_named_by_nothing_that_is_a_path(app: RunningApp) -> None:
    maintainer = app.accounts.sign_in("mia", PASSWORD)
    kept = app.services.settings.home / "secret.txt"
    for name in ("../secret.txt", "..", "/", str(kept), "models/../..", "", "\0"):
        for question in ("train_delete", "train_card", "train_promote", "train_compare", "train_maps"):
            asked = {"version": name, "b": name, "a": None, "image": "0" * 64}
            assert "error" in ask(app, question, asked, maintainer), (question, name)
    for job in ("../..", -1, 1e300, 10**30, None, True, [1]):
        for question in ("train_log", "train_cancel", "train_resume"):
            assert "error" in ask(app, question, {"job": job}, maintainer), (question, job)
    assert kept.read_text() == CANARY


@pytest.mark.parametrize("place", ["/proc/self/environ", "x.zip\0.png", "nowhere/../../etc/passwd.csv"])
def test_an_import_of_what_is_none_is_a_sentence(app: RunningApp, place: str) -> None:
    maintainer, known = app.accounts.sign_in("mia", PASSWORD), len(app.workspace.roster)
    begun = ask(app, "data_import", {"location": place, "about": "x"}, maintainer)
    app.services.transfers.wait()
    ended = begun.get("error") or ask(app, "data_now", {}, maintainer)["transfer"]["sentence"]
    assert re.fullmatch(r"[^\n]{10,300}\.", ended), ended
    assert "root:" not in ended
    assert len(app.workspace.roster) == known


def test_pictures_of_absurd_size_are_refused_at_every_door(app: RunningApp, web: httpx.Client) -> None:
    bombs = {}
    for format in ("PNG", "WEBP", "TIFF", "GIF"):
        file = io.BytesIO()
        more = {"WEBP": {"lossless": True, "method": 0}, "TIFF": {"compression": "tiff_lzw"}}.get(format, {})
        Image.new("1" if format == "TIFF" else "L", (8_000, 8_000)).save(file, format, **more)
        bombs[format] = file.getvalue()
    for format, content in bombs.items():
        path = upload(web, f"a.{format.lower()}", content)
        for question in ("classify", "suggest"):
            asked = {"path": path, "name": "a", "taxon": "owl", "model_version": "m", "keep_picture": True}
            assert "megapixels" in ask(app, question, asked, None)["error"], (format, question)
    assert not app.events.suggestions()


def test_a_sign_in_is_a_new_one_and_ends_the_one_before(app: RunningApp, web: httpx.Client) -> None:
    planted = "x" * 43
    web.cookies.set(COOKIE, planted)
    reply = web.post(
        "fgdemo/sign-in", json={"name": "ada", "password": PASSWORD}, headers={"Cookie": f"{COOKIE}={planted}"}
    )
    cookie = reply.headers["set-cookie"]
    token = re.match(rf"{COOKIE}=([\w-]+);", cookie)
    assert token
    assert token[1] != planted
    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= {part.strip() for part in cookie.split(";")}
    assert app.accounts.person(planted).role == "visitor"
    again = httpx.post(
        f"{app.url}fgdemo/sign-in",
        json={"name": "ada", "password": PASSWORD},
        headers={"Cookie": f"{COOKIE}={token[1]}"},
    )
    assert again.status_code == 200
    assert app.accounts.person(token[1]).role == "visitor"


@pytest.mark.parametrize(
    ("headers", "is_secure"),
    [
        ({}, False),
        ({"X-Forwarded-Proto": "http"}, False),
        ({"X-Forwarded-Proto": "http, https"}, False),
        ({"X-Forwarded-Proto": "https"}, True),
        ({"X-Forwarded-Proto": "HTTPS"}, True),
        ({"X-Forwarded-Proto": "https, http"}, True),
        ({"X-Forwarded-Proto": "https ,http,http"}, True),
        ({"X-Forwarded-Proto": "wss"}, True),
        ({"X-Forwarded-Ssl": "on"}, True),
        ({"Forwarded": "for=192.0.2.60;proto=https;by=203.0.113.43, for=10.0.0.1;proto=http"}, True),
        ({"Forwarded": 'For="[2001:db8::1]"; Proto="HTTPS"'}, True),
        ({"Forwarded": "for=10.0.0.1;proto=http, for=10.0.0.2;proto=https"}, False),
    ],
)
def test_a_cookie_that_came_by_tls_goes_by_tls_only(
    web: httpx.Client, headers: dict[str, str], is_secure: bool
) -> None:
    reply = web.post("fgdemo/sign-out", json={}, headers={**JSON, **headers})
    assert ("Secure" in reply.headers["set-cookie"]) == is_secure


def test_guessing_a_password_is_slowed_over_http(app: RunningApp) -> None:
    app.accounts.add("target", "expert", PASSWORD)
    tries = [http(f"{app.url}fgdemo/sign-in", {"name": "target", "password": f"guess {n:04d}"}) for n in range(8)]
    assert {status for status, _ in tries} == {403}
    assert "wait a while" in tries[-1][1]["error"]
    status, reply = http(f"{app.url}fgdemo/sign-in", {"name": "target", "password": PASSWORD})
    assert (status, "wait a while" in reply["error"]) == (403, True)


def test_a_check_that_takes_longer_than_a_refusal_waits_is_one_all_the_same(
    app: RunningApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fgdemo.web.http.identity.REFUSED_AFTER_S", 0.0)
    assert http(f"{app.url}fgdemo/sign-in", {"name": "slow", "password": "a wrong one"})[0] == 403


def test_gradios_own_doors_refuse_the_pages_of_others(app: RunningApp, web: httpx.Client) -> None:
    token = app.accounts.sign_in("mia", PASSWORD)
    before = app.accounts.all()
    body = {
        "data": {"name": "evil", "role": "maintainer", "password": PASSWORD},
        "fn_name": "people_add",
        "component_id": questions(app)["people_add"],
        "session_hash": "x",
    }
    for headers in (FOREIGN, {**JSON, "Sec-Fetch-Site": "cross-site"}, {**FOREIGN, "Content-Type": "text/plain"}):
        for path in ("gradio_api/component_server", "gradio_api/component_server/", "gradio_api/queue/join"):
            reply = web.post(path, content=json.dumps(body), headers={**headers, "Cookie": f"{COOKIE}={token}"})
            assert reply.status_code == 403, (headers, path)
    form = {"Origin": "https://evil.example", "Cookie": f"{COOKIE}={token}"}
    assert web.post("gradio_api/component_server", data={"fn_name": "people_add"}, headers=form).status_code == 403
    assert app.accounts.all() == before


def test_a_visitor_who_asks_too_much_is_told_when_to_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    (tmp_path / "home").mkdir()
    with running_app(tmp_path / "home", asks_per_minute=6) as app, httpx.Client(base_url=app.url, timeout=60) as web:
        app.accounts.add("ada", "expert", PASSWORD)
        content = picture(tmp_path / "a.png", YELLOW, LIME).read_bytes()
        asked = {"path": upload(web, "a.png", content), "name": "a.png"}
        replies = [ask(app, "classify", asked, None) for _ in range(8)]
        assert ["error" in reply for reply in replies] == [False] * 6 + [True] * 2
        assert re.fullmatch(r"That is a lot .* try again in \d+ seconds\.", replies[-1]["error"])
        expert = app.accounts.sign_in("ada", PASSWORD)
        assert all("error" not in ask(app, "classify", asked, expert) for _ in range(20))
        from gradio_client import Client, handle_file
        from gradio_client.exceptions import AppError

        client = Client(app.url, verbose=False)
        with pytest.raises(AppError, match="That is a lot at once"):
            client.predict(handle_file(str(tmp_path / "a.png")), api_name="/classify")
