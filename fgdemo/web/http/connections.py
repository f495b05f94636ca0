"""Connections have limits: in time for what is sent and taken, in number for each address; some are left for health."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections import Counter
from typing import Any

import h11
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from fgdemo.settings import Settings
from fgdemo.web.http.visitors import block_of

log = logging.getLogger(__name__)

HEAD_S = 15.0
"""So long may the head of a request take, from when the connection is there or the answer before is done."""
SPARE_HEAD_S = 2.0
"""The same where there is room for health only."""
BODY_S = 20.0
"""So long may pass until LEAST_BYTES of a body have come."""
TAKE_S = 60.0
"""So long may pass until LEAST_BYTES of an answer have been taken."""
LEAST_BYTES = 2_000
"""Slow lines may be slow, but not silent."""
LOOK_EVERY_S = 1.0
MOST = 2_000
SPARE = 64
"""So many connections above the others may ask how the server is, and nothing else; the oldest of more is closed."""
HEALTH = "/healthz"
NO_HTTP = "This is no request of HTTP, or its address or its headers are longer than is taken."


def limit_connections(server: Any, settings: Settings) -> None:
    """Have all further connections of uvicorn's running server limited.

    Behind proxies all connections are theirs, so they are not counted for each address here; requests are (`InFlight`).
    """
    per_address = None if settings.proxies else settings.connections_per_address
    door = Door(most_connections(), per_address)
    server.config.http_protocol_class = functools.partial(LimitedProtocol, door)


def most_connections() -> int:
    """Half of the files that this process may open, so that the others are left for its work."""
    try:
        import resource
    except ImportError:  # Windows, which has no such limit
        return MOST
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if soft == resource.RLIM_INFINITY else max(32, min(MOST, soft // 2))


class Door:
    """All connections of one server; to be used from its event loop.

    Args:
        most: how many may be open, but for SPARE.
        per_address: how many of them one address may have; None where that is not known.
    """

    def __init__(self, most: int, per_address: int | None) -> None:
        self._most, self._per_address = most, per_address
        self._open: dict[LimitedProtocol, str] = {}
        self._addresses: Counter[str] = Counter()
        self._spare: dict[LimitedProtocol, None] = {}
        self._looking: asyncio.TimerHandle | None = None

    def enter(self, connection: LimitedProtocol) -> bool:
        """Whether a new connection may ask for everything; else it may ask for health."""
        self._look_soon(connection.loop)
        address = block_of(connection.client[0]) if connection.client else "nowhere"
        crowded = self._per_address is not None and self._addresses[address] >= self._per_address
        if len(self._open) < self._most and not crowded:
            self._open[connection] = address
            self._addresses[address] += 1
            return True
        if len(self._spare) >= SPARE:  # whoever asks about health has asked by now
            next(iter(self._spare)).transport.abort()
        self._spare[connection] = None
        return False

    def left(self, connection: LimitedProtocol) -> None:
        """A connection is closed."""
        self._spare.pop(connection, None)
        address = self._open.pop(connection, None)
        if address is not None:
            self._addresses[address] -= 1
            if not self._addresses[address]:
                del self._addresses[address]

    def _look_soon(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._looking is None:
            self._looking = loop.call_later(LOOK_EVERY_S, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Close those whose time is over."""
        self._looking = None
        for connection in (*self._open, *self._spare):
            if connection.is_overdue(loop.time()):
                connection.transport.abort()
        if self._open or self._spare:
            self._look_soon(loop)


class LimitedProtocol(H11Protocol):
    """One connection of uvicorn's, which knows how long it has been waiting, and for what."""

    def __init__(self, door: Door, **given: Any) -> None:
        super().__init__(**given)
        self._door = door
        self._head_s = HEAD_S
        self._waiting_since_s = self._window_since_s = self.loop.time()
        self._window_bytes = 0
        self._taken_at_s, self._untaken_bytes = self._waiting_since_s, 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if not self._door.enter(self):
            self._head_s, self.timeout_keep_alive = SPARE_HEAD_S, 0
            self.app = _only_health(self.app)

    def connection_lost(self, exc: Exception | None) -> None:
        self._door.left(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._window_bytes += len(data)
        super().data_received(data)

    def on_response_complete(self) -> None:
        self._waiting_since_s = self.loop.time()
        super().on_response_complete()

    def resume_writing(self) -> None:
        self._taken_at_s = self.loop.time()
        super().resume_writing()

    def is_overdue(self, now_s: float) -> bool:
        """Whether the other side has had its time: to take an answer, or for a head or some of a body."""
        untaken_bytes = self.transport.get_write_buffer_size()
        if not untaken_bytes or untaken_bytes <= self._untaken_bytes - LEAST_BYTES:
            self._taken_at_s, self._untaken_bytes = now_s, untaken_bytes
        self._untaken_bytes = max(self._untaken_bytes, untaken_bytes)
        if untaken_bytes:
            self._waiting_since_s = now_s
            return now_s - self._taken_at_s > TAKE_S
        if self.cycle is None or self.cycle.response_complete:
            self._window_since_s, self._window_bytes = now_s, 0
            return now_s - self._waiting_since_s > self._head_s
        if not self.cycle.more_body or self.flow.read_paused or self._window_bytes >= LEAST_BYTES:
            self._window_since_s, self._window_bytes = now_s, 0
        return now_s - self._window_since_s > BODY_S

    def send_400_response(self, msg: str) -> None:
        """What is sent is no HTTP; where an answer has begun already, the connection only ends."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            reply = JSONResponse({"error": NO_HTTP}, 400, {"connection": "close"})
            head = h11.Response(status_code=400, headers=reply.raw_headers)
            for event in (head, h11.Data(bytes(reply.body)), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        if self.cycle is not None:  # whoever answers has nobody to answer any more
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()

    def _should_upgrade(self) -> bool:
        """Nothing here speaks WebSocket; what asks for it is answered as any other request."""
        return False


def _only_health(app: ASGIApp) -> ASGIApp:
    """Answer what asks about health, and nothing else."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].endswith(HEALTH):
            return await app(scope, receive, send)
        sentence = "Too many connections are open: close some, or try again in a minute."
        refusal = JSONResponse({"error": sentence}, 503, headers={"Connection": "close", "Retry-After": "60"})
        return await refusal(scope, receive, send)

    return answer
