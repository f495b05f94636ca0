"""What strangers cannot reach at all, keep in memory, or have fetched; against the real page with Gradio's routes."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from fgdemo.values.errors import BusyError
from fgdemo.web.entrance import uncollected
from fgdemo.web.entrance.allowed_routes import ROUTES, methods_of
from fgdemo.web.entrance.blocks import SESSIONS
from fgdemo.web.entrance.gradio_sessions import KEPT_S, GradioSessions
from fgdemo.web.entrance.uncollected import Uncollected
from fgdemo.web.http.in_flight import SHARE, InFlight
from tests.support.browser_app import RunningApp, running_app
from tests.support.fuzz_server import paths
from tests.web.test_forbidden import PASSWORD, questions

MARK = "strangers-own-words"
FOREIGN = "https://evil.example"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(home / "uploads"))
        with running_app(home) as running:
            running.accounts.add("mia", "maintainer", PASSWORD)
            yield running


@pytest.fixture
def web(app: RunningApp) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=app.url, timeout=60) as client:
        yield client


# --- routes -----------------------------------------------------------------------------------------------------------

EXAMPLES = {
    "{api_name}": "about",
    "{event_id}": "0" * 32,
    "{session_hash}": "abc",
    "{path_or_url:path}": "/etc/passwd",
    "{path:path}": "x.js",
    "{batch}": "0" * 32,
    "{which}": "export",
    "{image}": "0" * 64,
    "{size}": "thumbnail",
}
GRADIOS = {
    "/",
    "/assets/x.js",
    "/config",
    "/config/",
    "/favicon.ico",
    "/logout",
    "/manifest.json",
    "/pwa_icon",
    "/robots.txt",
    "/static/x.js",
    "/theme.css",
    "/gradio_api/call/about",
    "/gradio_api/call/about/",
    "/gradio_api/call/v2/about",
    "/gradio_api/call/v2/about/",
    f"/gradio_api/call/about/{'0' * 32}",
    f"/gradio_api/call/v2/about/{'0' * 32}",
    "/gradio_api/cancel",
    "/gradio_api/component_server",
    "/gradio_api/component_server/",
    "/gradio_api/heartbeat/abc",
    "/gradio_api/file=/etc/passwd",
    "/gradio_api/info",
    "/gradio_api/info/",
    "/gradio_api/mcp",
    "/gradio_api/queue/data",
    "/gradio_api/mcp/schema",
    "/gradio_api/queue/join",
    "/gradio_api/reset",
    "/gradio_api/reset/",
    "/gradio_api/upload",
    "/gradio_api/startup-events",
}
"""What of Gradio's routes is served. A new Gradio that has others fails here, until somebody has looked at them."""
ENDLESS = ("/heartbeat", "/queue/data")


def examples(app: RunningApp) -> set[str]:
    """A path for every route that the app has."""
    found = {path for route in app.page.app.routes for path in paths(route)}
    return {re.sub(r"\{[^}]+\}", lambda place: EXAMPLES.get(place[0], "1"), path) for path in found if path}


def test_only_the_routes_that_are_needed_are_served(app: RunningApp, web: httpx.Client) -> None:
    ours = ("/fgdemo/", "/fgdemo-static/", "/healthz", "/metrics")
    served = {path for path in examples(app) if methods_of(path) and not path.startswith(ours)}
    assert served == GRADIOS
    for path in sorted(examples(app) - served):
        if not path.startswith(ours):
            assert {web.request(method, path).status_code for method in METHODS} == {404}, path


def test_the_list_of_routes_names_none_that_is_not_there(app: RunningApp) -> None:
    here = examples(app) | {"/login/huggingface", "/login/callback"}  # where people sign in with the Hub
    here |= {"/gradio_api/mcp/http", "/fgdemo-static/x.js"}  # within what is mounted
    assert [route.path for route in ROUTES if not any(route.matches(path) for path in here)] == []


@pytest.mark.parametrize(
    "path",
    [
        "gradio_api/dev/reload",
        "monitoring",
        "monitoring/summary",
        "monitoring/x",
        "gradio_api/custom_component/a/client/b/c",
        "gradio_api/run/about",
        "gradio_api/api/about",
        "gradio_api/file/etc/passwd",
        "gradio_api/file=relative",
        "gradio_api/file=http://1.2.3.4/x",
        "gradio_api/file=https:/1.2.3.4/x",
        "gradio_api/file=//1.2.3.4/x",
        "gradio_api/file%3Dhttp%3A%2F%2F1.2.3.4%2Fx",
        "gradio_api//file=http://1.2.3.4/",
        "gradio_api/mcp/sse",
        "gradio_api/mcp/messages/",
        "gradio_api/upload_progress?upload_id=a",
        "gradio_api/deep_link?session_hash=a",
        "gradio_api/openapi.json",
        "pwa_icon/100000",
        "gradio_api/heartbeat/" + "a" * 65,
        "gradio_api/heartbeat/a%00b",
    ],
)
def test_what_is_not_needed_is_not_there(web: httpx.Client, path: str, capfd: pytest.CaptureFixture[str]) -> None:
    reply = web.get(path)
    assert (reply.status_code, reply.json()) == (404, {"error": "There is nothing here."})
    assert capfd.readouterr() == ("", "")


def test_agents_have_no_stream_that_never_ends(web: httpx.Client) -> None:
    assert web.get("gradio_api/mcp/", headers={"Accept": "text/event-stream"}).status_code == 405
    assert web.get("gradio_api/mcp/").status_code == 200  # for people


# --- other websites ---------------------------------------------------------------------------------------------------


def test_no_answer_lets_another_website_read_it(app: RunningApp, web: httpx.Client) -> None:
    cookie = f"fgdemo_sign_in={app.accounts.sign_in('mia', PASSWORD)}"
    for path in sorted({*examples(app), "/fgdemo/data/left-out.csv", "/nowhere"}):
        if any(part in path for part in ENDLESS):
            continue
        for method in ("GET", "POST", "OPTIONS"):
            headers = {"Origin": FOREIGN, "Cookie": cookie, "Access-Control-Request-Method": "GET", "Host": "a.example"}
            reply = web.request(method, path, headers=headers)
            assert not [name for name in reply.headers if name.startswith("access-control")], (method, path)


# --- fetching ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def asked_for(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hosts that this process looks for while the test runs, but for the server's own."""
    hosts: list[str] = []
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, *more: Any, **named: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else str(host)
        if name not in ("127.0.0.1", "localhost"):
            hosts.append(name)  # huggingface.co: the Hub's own library says once that it is here
            raise socket.gaierror("nothing is looked for in this test")
        return real(host, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return hosts


ADDRESS = "http://fetched.example/a.png"
FILE = {"path": ADDRESS, "meta": {"_type": "gradio.FileData"}}
FORMS: dict[str, Callable[[], Any]] = {
    "a file": lambda: FILE,
    "a file with url": lambda: {**FILE, "url": ADDRESS},
    "an upload with url": lambda: {**FILE, "path": "/a.png", "url": ADDRESS},
    "no path": lambda: {"url": ADDRESS, "meta": {"_type": "gradio.FileData"}},
    "text": lambda: ADDRESS,
    "within a list": lambda: [FILE],
    "deep": lambda: {"a": [{"b": FILE}]},
    "https": lambda: {**FILE, "path": ADDRESS.replace("http", "https")},
    "odd schemes": lambda: [
        {**FILE, "path": f"{scheme}://fetched.example/a"} for scheme in ("ftp", "hf", "s3", "HTTP")
    ],
}


@pytest.mark.parametrize("form", FORMS)
def test_nothing_is_fetched_for_anybody(app: RunningApp, web: httpx.Client, asked_for: list[str], form: str) -> None:
    value = FORMS[form]()
    for path, body in (
        ("call/classify", {"data": [value, None, None, None]}),
        ("call/search_taxa", {"data": [value, value]}),
        ("call/v2/classify", {"picture": value}),
        ("call/v2/suggest", {"picture": value, "comment": value}),
        ("run/classify", {"data": [value, None, None, None]}),
        ("queue/join", {"data": [value, None, None, None], "fn_index": 1, "session_hash": "abc", "event_data": value}),
    ):
        reply = web.post(f"gradio_api/{path}", json=body)
        if reply.status_code == 200:
            event = reply.json()["event_id"]
            with web.stream("GET", f"gradio_api/call/classify/{event}") as stream:
                assert "classify" not in stream.read().decode()
    for component, names in components(web).items():
        for name in names:
            asked = {"data": {"path": value, "picture": value, "location": None}, "fn_name": name}
            web.post("gradio_api/component_server", json={**asked, "component_id": component, "session_hash": "abc"})
    call_tool(web, "classify", {"picture": value})
    assert set(asked_for) <= {"huggingface.co"}


def components(web: httpx.Client) -> dict[int, list[str]]:
    config = web.get("config").json()
    return {one["id"]: one["props"]["server_fns"] for one in config["components"] if one["props"].get("server_fns")}


def call_tool(web: httpx.Client, name: str, arguments: dict[str, Any]) -> str:
    """What an MCP client sends, and the text of the answer."""
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": arguments}}
    accept = {"Accept": "application/json, text/event-stream"}
    return web.post("gradio_api/mcp/", json=asked, headers=accept).text


def test_an_agent_reads_no_file_of_the_server(app: RunningApp, web: httpx.Client, tmp_path: Path) -> None:
    picture = tmp_path / "own.png"
    picture.write_bytes((Path(__file__).parents[2] / "fgdemo" / "web" / "static" / "favicon.svg").read_bytes())
    file = {"path": str(picture), "meta": {"_type": "gradio.FileData"}}
    for value in (file, str(picture), f"file://{picture}", [file]):
        call_tool(web, "classify", {"picture": value})
    uploads = app.services.settings.home / "uploads"
    assert list(uploads.rglob("own*")) == []


# --- ids and memory ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["a" * 65, "", "a/b", "a\nb", "ä", 5, ["a"], {"a": 1}, True])
def test_an_id_has_a_form_and_a_length(app: RunningApp, web: httpx.Client, value: Any) -> None:
    holder = app.page.app.state_holder
    before = set(holder.session_data)
    for path, body in (
        ("component_server", {"data": {}, "fn_name": "about", "component_id": 1}),
        ("queue/join", {"data": [], "fn_index": 0}),
        ("call/about", {"data": []}),
        ("cancel", {"fn_index": 0, "event_id": "a"}),
    ):
        reply = web.post(f"gradio_api/{path}", json={**body, "session_hash": value})
        assert (reply.status_code, reply.json()) == (
            400,
            {"error": "“session_hash” must be letters, digits, - and _, 64 at most."},
        ), path
    if isinstance(value, str):
        assert web.get("gradio_api/queue/data", params={"session_hash": value}).status_code == 400
    assert set(holder.session_data) == before


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"5", b"[" * 5000, b"\xff", b"--x\r\n"])
def test_a_body_that_is_no_question_is_a_sentence(web: httpx.Client, content: bytes) -> None:
    for path in ("component_server", "queue/join", "call/about", "call/v2/about", "cancel"):
        reply = web.post(f"gradio_api/{path}", content=content, headers={"Content-Type": "multipart/form-data"})
        assert reply.status_code == 400, path
        assert reply.json()["error"] in ("This is no JSON.", "This must be a JSON object."), path


def test_sessions_keep_nothing_and_only_so_many_are_remembered(app: RunningApp, web: httpx.Client) -> None:
    for number in range(20):
        asked = {"data": [MARK * 100, 5], "session_hash": f"session{number}"}
        event = web.post("gradio_api/call/search_taxa", json=asked).json()["event_id"]
        web.get(f"gradio_api/call/search_taxa/{event}")
    holder = app.page.app.state_holder
    assert holder.capacity == SESSIONS
    assert MARK not in repr([state.config_values for state in holder.session_data.values()])
    web.post("gradio_api/upload", params={"upload_id": "x" * 5000}, files={"files": ("a.png", b"x")})
    from gradio.routes import file_upload_statuses

    assert file_upload_statuses._statuses == {}


def test_one_address_has_so_many_sessions_and_pushes_out_no_others(tmp_path: Path) -> None:
    with (
        running_app(tmp_path, connections_per_address=3, proxies=1) as app,
        httpx.Client(base_url=app.url, timeout=60) as web,
    ):

        def ask(session: str, forwarded: str, path: str = "call/about") -> httpx.Response:
            served = {"fn_name": "search_taxa", "component_id": questions(app)["search_taxa"]}
            asked = {
                "call/about": {"data": []},
                "queue/join": {"data": [], "fn_index": 0},
                "component_server": {"data": {"query": "owl"}, **served},
            }[path]
            sent = {"X-Forwarded-For": forwarded}
            return web.post(f"gradio_api/{path}", json={**asked, "session_hash": session}, headers=sent)

        assert [ask(f"a{number}", "1.2.3.4").status_code for number in range(3)] == [200] * 3
        for path in ("call/about", "queue/join", "component_server"):
            for forwarded in ("1.2.3.4", "5.6.7.8, 1.2.3.4"):  # only the last entry is the proxy's
                reply = ask("a9", forwarded, path)
                assert reply.status_code == 429
                assert reply.json() == {"error": "Too many pages from one place are in use: try again in a minute."}
        assert ask("a0", "1.2.3.4", "component_server").status_code == 200, "those in use go on"
        assert ask("a9", "5.6.7.8", "component_server").status_code == 200
        assert set(app.page.app.state_holder.session_data) >= {"a0", "a9"}


def test_a_session_that_is_no_longer_in_use_makes_room() -> None:
    clock = Clock()
    sessions = GradioSessions(2, clock)
    for session in ("x", "y", "x"):
        sessions.use(session, "a")
    clock.now_s += KEPT_S - 1
    sessions.use("x", "a")
    with pytest.raises(BusyError):
        sessions.use("z", "a")
    clock.now_s += 1
    sessions.use("z", "a")
    clock.now_s += KEPT_S
    sessions.use("x", "b")
    assert (list(sessions._used_at_s), sessions._of_one) == ([("b", "x")], {"b": 1})


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_answers_that_nobody_collects_are_limited_and_dropped(
    app: RunningApp, web: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uncollected, "MOST_OF_ONE", 7)
    queue, clock = app.page._queue, Clock()
    asked = [web.post("gradio_api/call/search_taxa", json={"data": ["owl", 5]}) for _ in range(9)]
    assert [one.status_code for one in asked] == [200] * 7 + [429] * 2
    assert "have not been collected" in asked[-1].json()["error"]
    events = [one.json()["event_id"] for one in asked[:7]]
    assert "event: complete" in web.get(f"gradio_api/call/search_taxa/{events[0]}").text
    kept = Uncollected(clock)
    for event in events:
        kept.note(event, None, "1.2.3.4")
    while any(event in queue.event_ids_to_events for event in events):
        pass
    kept.sweep(queue)
    assert {*events[1:]} <= set(queue.pending_messages_per_session)
    assert events[0] not in queue.pending_event_ids_session
    clock.now_s += uncollected.KEPT_S
    kept.sweep(queue)
    assert not {*events} & {*queue.pending_messages_per_session, *queue.pending_event_ids_session}
    assert web.post("gradio_api/call/search_taxa", json={"data": ["owl", 5]}).status_code == 200


def test_one_address_leaves_room_for_the_others() -> None:
    in_flight = InFlight(2, most_held_bytes=80)
    with in_flight.one("a") as one, in_flight.one("a"):
        with pytest.raises(BusyError), in_flight.one("a"):
            pass
        one.hold(80 // SHARE)
        with pytest.raises(BusyError):
            one.hold(1)
        for other in "bcd":
            with in_flight.one(other) as held:
                held.hold(20)
    with in_flight.one("a") as one:
        one.hold(20)
    assert not in_flight._requests
    assert not in_flight._held_bytes


# --- the log ----------------------------------------------------------------------------------------------------------


def test_nothing_that_strangers_send_stands_in_the_log(
    web: httpx.Client, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    path = f"gradio_api/custom_component/{MARK}/client/{MARK}%0aforged/{MARK}"
    web.get(path)
    for body in ({"data": [MARK]}, {"data": [{MARK: 1}, MARK, [MARK]]}, {"data": [], "event_data": MARK}, {MARK: MARK}):
        for name in ("about", "classify", "search_taxa", "next_items", MARK):
            for form in ("call", "call/v2"):
                reply = web.post(f"gradio_api/{form}/{name}", json=body)
                if reply.status_code == 200:
                    web.get(f"gradio_api/call/{name}/{reply.json()['event_id']}")
        web.post("gradio_api/queue/join", json={**body, "fn_index": 10**9, "session_hash": "abc"})
        web.post(
            "gradio_api/component_server", json={**body, "component_id": MARK, "fn_name": MARK, "session_hash": "a"}
        )
    for arguments in ({MARK: MARK}, {"picture": MARK}, {"query": [MARK]}):
        for tool in ("classify", "search_taxa", MARK):
            call_tool(web, tool, arguments)
    web.post("gradio_api/mcp/", json={"jsonrpc": "2.0", "id": MARK, "method": MARK, "params": {MARK: MARK}})
    web.post("gradio_api/mcp/", content=json.dumps(MARK), headers={"Content-Type": "application/json", "Accept": MARK})
    out, err = capfd.readouterr()
    assert MARK not in out + err + caplog.text
