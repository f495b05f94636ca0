"""What gets in at all: the routes that are needed, ids that have a form, and so much of each address at once."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fgdemo.settings import Settings
from fgdemo.storage.disk import strict_json
from fgdemo.values.errors import BusyError
from fgdemo.web.entrance.allowed_routes import JOINS, JSON_BODIES, STREAM, methods_of
from fgdemo.web.entrance.gradio_sessions import GradioSessions
from fgdemo.web.entrance.ids import check_query, read_object
from fgdemo.web.entrance.uncollected import Uncollected
from fgdemo.web.http.forwarded import path_of
from fgdemo.web.http.guard import busy
from fgdemo.web.http.in_flight import Held, InFlight
from fgdemo.web.http.payloads import BadRequestError
from fgdemo.web.http.refusals import SENTENCES, UPLOAD
from fgdemo.web.http.visitors import address_of
from fgdemo.web.programs.calls import check_call, what_is_missing

CALLS = "/gradio_api/call/"
ALWAYS = ("/healthz", "/metrics")
"""What is answered however many requests are open."""


class Gate:
    """ASGI middleware around all routes, inside `Guard`, which makes its answers safe and bounds what is sent."""

    def __init__(self, app: ASGIApp, settings: Settings, uncollected: Uncollected) -> None:
        self._app, self._settings, self._uncollected = app, settings, uncollected
        self._in_flight = InFlight(settings.connections_per_address)
        self._sessions = GradioSessions(settings.connections_per_address)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        path = path_of(scope)
        refusal = _refusal(scope, path)
        if refusal is not None:
            return await refusal(scope, receive, send)
        if scope["method"] == "HEAD":  # the server leaves the body out
            scope = {**scope, "method": "GET"}
        missing = what_is_missing(path, _blocks(scope).endpoints, _queue(scope)) if path.startswith(CALLS) else None
        if missing is not None:
            return await JSONResponse({"error": missing}, 404)(scope, receive, send)
        if path in ALWAYS:
            return await self._app(scope, receive, send)
        started = False

        async def answer(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            check_query(scope["query_string"])
            with self._in_flight.one(address_of(Request(scope), self._settings.proxies)) as held:
                await self._let_in(path, scope, receive, answer, held)
        except (BadRequestError, BusyError) as error:
            if started:  # too late for a sentence
                raise
            reply = busy(error) if isinstance(error, BusyError) else JSONResponse({"error": str(error)}, 400)
            return await reply(scope, receive, answer)

    async def _let_in(self, path: str, scope: Scope, receive: Receive, send: Send, held: Held) -> None:
        if path.rstrip("/") == UPLOAD:  # goes to the disk; without the id under which Gradio would keep its progress
            await self._app({**scope, "query_string": b""}, receive, send)
            return
        receive = _counted(receive, held)
        if scope["method"] == "POST" and path.startswith(JSON_BODIES):
            sent, receive = await read_object(receive)
            if path.startswith(CALLS):
                check_call(path, sent, _blocks(scope).endpoints)
            if sent.get("session_hash") is not None:
                self._sessions.use(sent["session_hash"], held.address)
            if path.startswith(JOINS):
                self._uncollected.require_room(_queue(scope), held.address)
                send = self._noting(send, sent.get("session_hash"), held.address)
        await self._app(scope, receive, send)

    def _noting(self, send: Send, session: str | None, address: str) -> Send:
        """`send` that notes the event which Gradio answers with."""
        content = b""

        async def noting(message: Message) -> None:
            nonlocal content
            if message["type"] == "http.response.body":
                content += message.get("body", b"")
                event = None if message.get("more_body") else _event(content)
                if event is not None:
                    self._uncollected.note(event, session, address)
            await send(message)

        return noting


def _refusal(scope: Scope, path: str) -> Any:
    """What answers a request that is for nothing here; None where it is for something."""
    if scope["type"] != "http":
        return _closed
    methods = methods_of(path)
    if not methods:
        return JSONResponse({"error": SENTENCES[404]}, 404)
    wants_stream = path.startswith(STREAM) and scope["method"] == "GET" and _accepts_events(scope)
    if scope["method"] not in methods or wants_stream:
        sentence = "This is asked for by " + " or ".join(sorted(methods)) + "."
        return JSONResponse({"error": sentence}, 405, headers={"Allow": ", ".join(sorted(methods))})
    return None


async def _closed(scope: Scope, receive: Receive, send: Send) -> None:
    """Nothing here speaks WebSocket."""
    await receive()
    await send({"type": "websocket.close", "code": 1008})


def _accepts_events(scope: Scope) -> bool:
    return any(name == b"accept" and b"text/event-stream" in value for name, value in scope["headers"])


def _counted(receive: Receive, held: Held) -> Receive:
    """`receive` that counts what it gives as lying in memory."""

    async def counted() -> Message:
        message = await receive()
        held.hold(len(message.get("body", b"")))
        return message

    return counted


def _blocks(scope: Scope) -> Any:
    return scope["app"].get_blocks()


def _queue(scope: Scope) -> Any:
    return _blocks(scope)._queue


def _event(content: bytes) -> str | None:
    try:
        return strict_json.read_object(content).get("event_id")
    except strict_json.BadJsonError:
        return None
