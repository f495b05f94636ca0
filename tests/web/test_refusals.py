"""Whatever a stranger sends, a refusal is one sentence of ours, and no traceback stands in the log."""

from __future__ import annotations

import gzip
import json
import logging
import re
import socket
import struct
from collections.abc import Iterator

import httpx
import pytest

from tests.support.browser_app import RunningApp, running_app

JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "multipart/form-data; boundary=XX"}
AGENT = {**JSON, "Accept": "application/json, text/event-stream"}
PATHS = (
    "/",
    "/config",
    "/assets/none.js",
    "/static/none",
    "/static/..%2f..%2fx",
    "/static/img/logo.svg",
    "/fgdemo-static/../../settings.py",
    "/login/huggingface",
    "/fgdemo/me",
    "/fgdemo/none",
    "/fgdemo/%252e%252e/x",
    "/fgdemo/pictures/%ff/thumbnail",
    "/fgdemo/pictures/..%2f..%2fetc/thumbnail",
    "/fgdemo/data/incoming/x",
    "/FGDEMO/ME",
    "//fgdemo//me",
    "/%00",
    "/gradio_api/file=/etc/%70asswd",
    "/gradio_api/queue/data",
    "/gradio_api/upload",
    "/gradio_api/mcp/",
    "/none",
)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    with running_app(tmp_path_factory.mktemp("home")) as running:
        yield running


def sent(app: RunningApp, head: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
    """The status and the body of what is answered to exactly these bytes."""
    host, port = re.findall(r"//([^:]+):(\d+)", app.url)[0]
    lines = [head, "Host: x", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    with socket.create_connection((host, int(port)), 60) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        answer = b""
        while b"\r\n\r\n" not in answer or len(answer.partition(b"\r\n\r\n")[2]) < _length(answer):
            some = connection.recv(65536)
            if not some:
                break
            answer += some
    return int(answer.split()[1]), answer.partition(b"\r\n\r\n")[2]


def _length(answer: bytes) -> int:
    found = re.search(rb"content-length: (\d+)", answer, re.IGNORECASE)
    return int(found[1]) if found else 1 << 30


def is_sentence(body: bytes) -> bool:
    error = json.loads(body)["error"]
    return isinstance(error, str) and " " in error and error[-1] == "."


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE", "TRACE", "OPTIONS", "get", "FOO"])
def test_every_refusal_of_every_method_is_a_sentence(app: RunningApp, method: str) -> None:
    answers = {path: sent(app, f"{method} {path} HTTP/1.1", Content_Length="0") for path in PATHS}
    assert {path: body for path, (status, body) in answers.items() if status >= 400 and not is_sentence(body)} == {}
    assert not [path for path, (status, _) in answers.items() if status >= 500]


def test_what_answers_get_answers_head(app: RunningApp) -> None:
    for path in ("", "config", "theme.css", "favicon.ico", "healthz", "fgdemo/me", "gradio_api/info"):
        reply = httpx.head(f"{app.url}{path}", timeout=60)
        assert (reply.status_code, reply.content) == (200, b""), path


@pytest.mark.parametrize(
    ("head", "headers"),
    [
        ("GET /é HTTP/1.1", {}),
        ("GET / HTTP/1.1", {"Content_Length": "-1"}),
        ("GET / HTTP/1.1", {"Transfer_Encoding": "gzip"}),
        ("GET /favicon.ico HTTP/1.1", {"Range": "bytes=9999999-"}),
        ("GET /favicon.ico HTTP/1.1", {"Range": "furlongs"}),
        ("GET /favicon.ico HTTP/1.1", {"Range": "bytes=5-2"}),
    ],
)
def test_what_is_hardly_http_gets_a_sentence_too(app: RunningApp, head: str, headers: dict[str, str]) -> None:
    status, body = sent(app, head, b"", **headers)
    assert 400 <= status < 500
    assert is_sentence(body)


@pytest.mark.parametrize(
    "path",
    [
        "gradio_api/component_server",
        "gradio_api/queue/join",
        "gradio_api/cancel",
        "gradio_api/reset",
        "gradio_api/call/about",
        "gradio_api/call/v2/classify",
        "gradio_api/upload",
        "fgdemo/sign-in",
    ],
)
def test_bodies_that_are_none_get_a_sentence(app: RunningApp, path: str, caplog: pytest.LogCaptureFixture) -> None:
    with httpx.Client(base_url=app.url, timeout=60) as web:
        replies = [
            web.post(path, content=content, headers=headers)
            for content, headers in (
                (b"", {}),
                (b"{", JSON),
                (b"{}", JSON),
                (b'{"data": {}}', JSON),
                (b'{"data": [1], "fn_index": 1.5}', JSON),
                (b'{"data": []}', {"Content-Type": "text/plain"}),
                (gzip.compress(b'{"data": []}'), {**JSON, "Content-Encoding": "gzip"}),
                (b"no form", FORM),
                (b"--XX\r\nX: y\r\n\r\nabc\r\n--XX--\r\n", FORM),
                (b'--XX\r\nContent-Disposition: form-data; name="files"; filename=".."\r\n\r\nabc\r\n--XX--\r\n', FORM),
            )
        ]
    refused = [reply for reply in replies if reply.status_code >= 400]
    assert [reply.text for reply in refused if reply.status_code >= 500 or not is_sentence(reply.content)] == []
    assert [record for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR] == []


def test_a_chunk_that_is_none_ends_the_request_and_nothing_else(
    app: RunningApp, caplog: pytest.LogCaptureFixture
) -> None:
    for path in ("fgdemo/sign-out", "fgdemo/sign-in", "gradio_api/call/about", "gradio_api/upload"):
        for _ in range(5):
            broken = b"zz\r\n{}\r\n0\r\n\r\n"
            status, body = sent(app, f"POST /{path} HTTP/1.1", broken, Transfer_Encoding="chunked", **JSON)
            assert status >= 400 or path == "fgdemo/sign-out"
            assert status < 400 or is_sentence(body)
    assert httpx.get(f"{app.url}healthz", timeout=60).status_code == 200
    assert [record for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR] == []


def test_streams_that_are_cut_leave_nothing_in_the_log(app: RunningApp, caplog: pytest.LogCaptureFixture) -> None:
    host, port = re.findall(r"//([^:]+):(\d+)", app.url)[0]
    for _ in range(5):
        event = httpx.post(f"{app.url}gradio_api/call/v2/about", timeout=60, json={}).json()["event_id"]
        for path in (f"gradio_api/call/v2/about/{event}", "gradio_api/queue/data?session_hash=cut"):
            connection = socket.create_connection((host, int(port)), 60)
            connection.sendall(f"GET /{path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # so close is a reset
            connection.close()
    assert httpx.get(f"{app.url}healthz", timeout=60).status_code == 200
    assert [record for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR] == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"5",
        b'[{"jsonrpc": "2.0", "id": 1, "method": "ping"}, {"jsonrpc": "2.0", "id": 2, "method": "ping"}]',
        b'{"jsonrpc": "1.0", "id": 1, "method": "ping"}',
        b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": ' + b"[" * 3000 + b"]" * 3000 + b"}",
    ],
)
def test_what_is_no_request_of_an_agent_is_told_so_in_the_form_of_agents(app: RunningApp, content: bytes) -> None:
    reply = httpx.post(f"{app.url}gradio_api/mcp/", timeout=60, content=content, headers=AGENT)
    error = reply.json()["error"]
    assert (reply.status_code, set(error)) == (400, {"code", "message"})
    assert error["message"].endswith(".")
    assert "\n" not in error["message"]
    assert "pydantic" not in reply.text


def test_what_agents_send_is_not_written_down(app: RunningApp, caplog: pytest.LogCaptureFixture) -> None:
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": 5, "secret": "s3cr3t"}}
    httpx.post(f"{app.url}gradio_api/mcp/", timeout=60, json=asked, headers=AGENT)
    assert "s3cr3t" not in caplog.text
    assert "validation error" not in caplog.text


def test_the_tools_without_mcp_are_those_of_mcp(app: RunningApp) -> None:
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    stream = httpx.post(f"{app.url}gradio_api/mcp/", timeout=60, json=asked, headers=AGENT).text
    tools = json.loads(stream.partition("data: ")[2])["result"]["tools"]
    listed = httpx.get(f"{app.url}gradio_api/mcp/schema", timeout=60).json()
    assert [{**tool, "meta": None} for tool in listed] == [{**tool, "meta": None} for tool in tools]
    assert {tool["name"] for tool in listed if tool["meta"]["file_data_present"]} >= {"classify", "explain"}
    some = httpx.get(f"{app.url}gradio_api/mcp/schema?tools=about,none", timeout=60).json()
    assert [tool["name"] for tool in some] == ["about"]
