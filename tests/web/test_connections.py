"""Connections that are opened and left: half a request, an answer nobody takes, too many of one address."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from fgdemo.settings import Settings
from fgdemo.web.http import connections
from fgdemo.web.http.connections import Door, LimitedProtocol, most_connections
from tests.support.browser_app import RunningApp, running_app

SHORT_S = 0.3
MOST = 12
PATIENCE_S = 30


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    """A server with little room and little patience."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HEAD_S", "SPARE_HEAD_S", "BODY_S", "TAKE_S"):
            patch.setattr(connections, name, SHORT_S)
        patch.setattr(connections, "LOOK_EVERY_S", 0.05)
        with running_app(tmp_path_factory.mktemp("home"), connections_per_address=MOST) as running:
            yield running


def opened(app: RunningApp, sent: bytes) -> socket.socket:
    url = httpx.URL(app.url)
    one = socket.create_connection((url.host, url.port or 80), timeout=PATIENCE_S)
    one.sendall(sent)
    return one


def is_closed(one: socket.socket, trickle: bytes = b"") -> bool:
    """Whether the server ends a connection, although a byte of `trickle` comes now and then."""
    one.settimeout(0.05)
    for _ in range(int(PATIENCE_S / 0.05)):
        try:
            if trickle:
                one.sendall(trickle)
            if not one.recv(4096):
                return True
        except TimeoutError:
            continue
        except OSError:
            return True
    return False


HALVES = {
    "nothing": (b"", b""),
    "half a line": (b"GET / HT", b""),
    "no end of the head": (b"GET / HTTP/1.1\r\nHost: a\r\n", b"X"),
    "half a body": (b"POST /gradio_api/call/about HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{", b""),
    "a body drop by drop": (b"POST /gradio_api/call/about HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\n{", b" "),
    "an upload drop by drop": (
        (
            b"POST /gradio_api/upload HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n"
            b'Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\nContent-Disposition: form-data; name="f"; '
            b'filename="a"\r\n\r\n'
        ),
        b"y",
    ),
    "half of the next": (b"GET /robots.txt HTTP/1.1\r\nHost: a\r\n\r\nGET /rob", b"o"),
}


@pytest.mark.parametrize("half", HALVES)
def test_half_a_request_does_not_stay_open(app: RunningApp, half: str) -> None:
    sent, trickle = HALVES[half]
    with opened(app, sent) as one:
        assert is_closed(one, trickle)


def test_an_answer_that_nobody_takes_does_not_stay_open(app: RunningApp) -> None:
    config: Any = app.page.server.config
    door: Door = config.http_protocol_class.args[0]
    with ExitStack() as stack:
        asking = b"GET /gradio_api/info HTTP/1.1\r\nHost: a\r\n\r\n" * 400
        stack.enter_context(opened(app, asking))
        until_s = time.monotonic() + PATIENCE_S
        while not door._open and time.monotonic() < until_s:
            time.sleep(0.01)
        while door._open and time.monotonic() < until_s:
            time.sleep(0.01)
        assert not door._open


def test_streams_of_one_address_leave_room_for_health(app: RunningApp) -> None:
    with ExitStack() as stack:
        for number in range(MOST):
            stream = stack.enter_context(
                opened(app, f"GET /gradio_api/heartbeat/a{number} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            )
            assert stream.recv(15) == b"HTTP/1.1 200 OK"
        for _ in range(connections.SPARE + 3):  # and somebody fills what is left
            stack.enter_context(opened(app, b"GET /healthz HT"))
        assert httpx.get(f"{app.url}healthz", timeout=PATIENCE_S).status_code == 200
        refused = httpx.get(f"{app.url}config", timeout=PATIENCE_S)
        assert (refused.status_code, refused.headers["connection"]) == (503, "close")
        assert refused.json()["error"].startswith("Too many connections are open")
    for _ in range(600):
        if httpx.get(f"{app.url}config", timeout=PATIENCE_S).status_code == 200:
            break
        time.sleep(0.05)
    else:
        pytest.fail("the streams are gone, but their places are not free again")


def test_a_websocket_is_nothing_here(app: RunningApp) -> None:
    head = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    with opened(app, head + b"Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\n\r\n") as one:
        assert not one.recv(12).endswith(b"101")


def test_behind_proxies_the_forwarded_address_is_counted(tmp_path: Any) -> None:
    with running_app(tmp_path, connections_per_address=3, proxies=1) as app, ExitStack() as stack:

        def status(path: str, address: str) -> int:
            reply = stack.enter_context(
                client.stream("GET", f"{app.url}{path}", headers={"X-Forwarded-For": f"6.6.6.6, {address}"})
            )
            return reply.status_code

        client = stack.enter_context(httpx.Client(timeout=PATIENCE_S))
        streams = [status(f"gradio_api/heartbeat/a{number}", "1.1.1.1") for number in range(4)]
        assert streams == [200, 200, 200, 429]
        assert [status("config", "1.1.1.1"), status("healthz", "1.1.1.1"), status("config", "2.2.2.2")] == [
            429,
            200,
            200,
        ]


class Connection:
    """What a door needs to know of one."""

    loop = SimpleNamespace(call_later=lambda *_: None)

    def __init__(self, address: str) -> None:
        self.client = (address, 1)


def test_all_connections_together_have_a_limit() -> None:
    door = Door(most=3, per_address=None)
    everybody: list[Any] = [Connection(f"10.0.0.{number}") for number in range(6)]
    assert [door.enter(one) for one in everybody[:5]] == [True, True, True, False, False]
    door.left(everybody[0])
    assert door.enter(everybody[5])
    assert 32 <= most_connections() <= connections.MOST


def test_a_slow_line_is_not_an_idle_one() -> None:
    """A body that comes at 200 bytes a second is waited for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connections, "LEAST_BYTES", 2000)
        patch.setattr(connections, "BODY_S", 20.0)
        one = LimitedProtocol.__new__(LimitedProtocol)
        one.transport = SimpleNamespace(get_write_buffer_size=lambda: 0)  # type: ignore[assignment]
        one.cycle = SimpleNamespace(response_complete=False, more_body=True)  # type: ignore[assignment]
        one.flow = SimpleNamespace(read_paused=False)  # type: ignore[assignment]
        one._waiting_since_s = one._window_since_s = one._taken_at_s = 0.0
        one._window_bytes, one._untaken_bytes, one._head_s = 0, 0, connections.HEAD_S
        for second in range(300):
            one._window_bytes += 200
            assert not one.is_overdue(float(second))
        assert one.is_overdue(300 + connections.BODY_S + 1)


def test_the_setting_is_read() -> None:
    assert Settings.from_env({"FGDEMO_CONNECTIONS_PER_ADDRESS": "7"}).connections_per_address == 7
