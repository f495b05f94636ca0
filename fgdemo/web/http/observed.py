"""Every request passes here once: it gets an id, is timed and counted, and leaves one line in the log."""

import logging
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fgdemo.logs import REQUESTS, Asking, now_asking
from fgdemo.web.http.forwarded import path_of
from fgdemo.web.http.metrics import Metrics

log = logging.getLogger(REQUESTS)

GONE = 499
"""What is noted, as other servers do, where nobody was left to be answered."""
_SANE_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")
_GROUPS = tuple(
    "fgdemo-static fgdemo/pictures.csv fgdemo/pictures fgdemo/sign-in fgdemo/sign-out fgdemo/me fgdemo/data "
    "fgdemo/openapi.json gradio_api/component_server gradio_api/queue gradio_api/call gradio_api/mcp "
    "gradio_api/upload gradio_api/file gradio_api/heartbeat gradio_api/info gradio_api/openapi.json assets static "
    "config healthz metrics".split()
)


class Observed:
    """The middleware. What it notes (see `Asking`) is `request.state.asking` to those who answer."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _SANE_ID.fullmatch(given) else uuid.uuid4().hex
        asking = scope.setdefault("state", {})["asking"] = Asking(request_id, count=self._metrics.question)
        begun_s, status, began_after_s = time.perf_counter(), GONE, None

        async def answer(message: Message) -> None:
            nonlocal status, began_after_s
            if message["type"] == "http.response.start":
                status, began_after_s = message["status"], time.perf_counter() - begun_s
                MutableHeaders(scope=message)["x-request-id"] = request_id
            await send(message)

        token = now_asking.set(asking)
        try:
            await self._app(scope, receive, answer)
        except Exception:
            status = 500
            raise
        finally:
            elapsed_s = time.perf_counter() - begun_s
            route, method = route_of(path_of(scope)), scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.request(route, method, status, elapsed_s if began_after_s is None else began_after_s)
            level = logging.WARNING if status >= 500 and route != "healthz" else logging.INFO
            fields = {"route": route, "method": method, "status": status, "elapsed_ms": round(1000 * elapsed_s, 1)}
            fields |= {"outcome": asking.outcome} if asking.outcome else {}
            log.log(level, "%s %s: %d", method, route, status, extra={"fields": fields})
            now_asking.reset(token)


def route_of(path: str) -> str:
    """The group that a path belongs to: few of them, and nothing in their names that came from outside."""
    path = path.strip("/")
    if not path:
        return "page"
    return next((group for group in _GROUPS if _belongs(path, group)), "other")


def _belongs(path: str, group: str) -> bool:
    return path.startswith(group) and path[len(group) :][:1] in ("", "/", "=")


@contextmanager
def asked(request: Any, name: str) -> Iterator[Asking]:
    """While a question is answered: whoever answers sets `outcome`, and what is logged carries the request's id.

    Args:
        request: Starlette's or Gradio's.
    """
    asking = asking_of(request)
    asking.question, asking.outcome = name, "failed"
    begun_s, token = time.perf_counter(), now_asking.set(asking)
    try:
        yield asking
    finally:
        asking.count(name, asking.outcome, time.perf_counter() - begun_s)
        now_asking.reset(token)


def asking_of(request: Any) -> Asking:
    """What is noted of this request; a new note where it did not pass the middleware."""
    state = getattr(request, "state", None)
    asking = getattr(state, "asking", None)
    return asking if isinstance(asking, Asking) else Asking(uuid.uuid4().hex)
