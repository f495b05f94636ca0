"""What every request passes on its way in, and every answer on its way out: size, origin, rate, safe headers."""

import logging

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fgdemo.services.classify.rate_limits import Deed, Limits, Visitor, rates
from fgdemo.settings import Settings
from fgdemo.storage.disk.free_space import Disk
from fgdemo.values.errors import BusyError, UnavailableError
from fgdemo.web.http.forwarded import path_of
from fgdemo.web.http.identity import COOKIE
from fgdemo.web.http.observed import route_of
from fgdemo.web.http.refusals import OURS, SENTENCES, UPLOAD, WRONG, worded
from fgdemo.web.http.visitors import address_of

log = logging.getLogger(__name__)

LARGEST_BODY_BYTES = 4_000_000
"""Of everything but uploads: an answer about some thousand pictures fits."""
INCOMING, CALLS = "/fgdemo/data/incoming/", "/gradio_api/call/"
GONE_EVENT = b'event: error\ndata: {"error": "This answer is no longer here: ask again."}\n\n'
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
DEEDS: dict[str, Deed] = {UPLOAD: "upload", "/fgdemo/sign-in": "sign-in"}
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), microphone=(), payment=()",
    "Cross-Origin-Resource-Policy": "same-origin",
}
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self' data: blob:{hub}; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'self' {frames}"
)
"""Gradio's page needs inline scripts and `new Function`; but nothing is loaded from, or sent to, anywhere else, except
that on a Space Gradio asks the Hub about that.
"""
SANDBOXED = "default-src 'none'; sandbox"
"""For files that somebody has uploaded."""


class TooLargeError(Exception):
    """More is being sent than is taken."""


class Guard:
    """ASGI middleware around all routes, Gradio's and our own."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._settings = app, settings
        self._limits = Limits(rates(settings.asks_per_minute))
        self._disk = Disk(settings.home, settings.disk_reserve_bytes)
        self._policy = POLICY.format(
            frames=settings.frame_ancestors, hub=" https://huggingface.co" if settings.space else ""
        ).strip()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        path, started = path_of(scope), ""

        async def answer(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = Headers(raw=message["headers"]).get("content-type", "something")
                self._secure(path, message)
            await send(message)

        refusal = self._refusal(Request(scope), path)
        if refusal is not None:
            return await refusal(scope, receive, answer)
        try:
            await self._app(scope, self._bounded(path, receive), worded(answer, path))
        except TooLargeError:
            if not started:
                await _too_large()(scope, receive, answer)
        except ClientDisconnect:
            return None
        except Exception as error:
            if path.startswith(OURS):
                log.exception("%s failed", route_of(path))
            else:  # one line, and nothing that was sent: anybody can bring it about as often as they like
                log.warning("%s failed: %s", route_of(path), type(error).__name__)
            if not started:
                await _failed(path)(scope, receive, answer)
            elif started.startswith("text/event-stream"):  # of an event that there is not
                await send({"type": "http.response.body", "body": GONE_EVENT if path.startswith(CALLS) else b""})
        return None

    def _refusal(self, request: Request, path: str) -> JSONResponse | None:
        """Why a request goes no further; None if it may."""
        if request.method not in SAFE_METHODS and _is_foreign(request, path, self._settings.proxies):
            return JSONResponse({"error": "This was sent by the page of another website, so it is refused."}, 403)
        length = request.headers.get("content-length", "0")
        most = self._most_bytes(path)
        if most is not None and length.isdecimal() and int(length) > most:
            return _too_large()
        deed = DEEDS.get(path.rstrip("/")) if request.method == "POST" else None
        if deed is not None:
            try:
                self._limits.spend(Visitor(address_of(request, self._settings.proxies)), deed)
                if deed == "upload":
                    self._disk.require_room(int(length) if length.isdecimal() else 0)
            except BusyError as error:
                return busy(error)
            except UnavailableError as error:
                return JSONResponse({"error": str(error)}, 503)
        return None

    def _most_bytes(self, path: str) -> int | None:
        """How much a request may send; None where its route watches that by itself."""
        if path.startswith(INCOMING):
            return None
        if path.rstrip("/") == UPLOAD:
            return self._settings.max_upload_mb * 1_000_000 + 100_000  # and what multipart puts around it
        return LARGEST_BODY_BYTES

    def _bounded(self, path: str, receive: Receive) -> Receive:
        """`receive` that ends a request which sends more than it may, whatever length it told."""
        most, received = self._most_bytes(path), 0

        async def bounded() -> Message:
            nonlocal received
            message = await receive()
            if message["type"] == "http.request" and most is not None:
                received += len(message.get("body", b""))
                if received > most:
                    raise TooLargeError
            return message

        return bounded

    def _secure(self, path: str, message: Message) -> None:
        """Our headers on an answer; what a route has set by itself stays."""
        headers = MutableHeaders(scope=message)
        for name, value in HEADERS.items():
            headers.setdefault(name, value)
        is_file = "/file=" in path or "/file/" in path
        headers.setdefault("Content-Security-Policy", SANDBOXED if is_file else self._policy)
        if not self._settings.frame_ancestors:
            headers.setdefault("X-Frame-Options", "SAMEORIGIN")


def busy(error: BusyError) -> JSONResponse:
    """429, and when to come back."""
    return JSONResponse({"error": str(error)}, 429, headers={"Retry-After": str(error.retry_after_s)})


def _is_foreign(request: Request, path: str, proxies: int) -> bool:
    """Whether the page of another website sends this in the name of somebody who is signed in, or to our own routes.

    What is sent without a cookie anybody may send from anywhere, and programs tell no origin.
    """
    headers = request.headers
    if COOKIE not in request.cookies and not path.startswith(OURS):
        return False
    site = headers.get("sec-fetch-site")  # no script can write it; browsers leave it out where there is no TLS
    if site is not None:
        return site in ("cross-site", "same-site")
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2] not in _hosts(headers, proxies)


def _hosts(headers: Headers, proxies: int) -> set[str]:
    """What this server is called in the browser."""
    forwarded = headers.get("x-forwarded-host", "").partition("/")[0] if proxies else ""
    return {headers.get("host", ""), forwarded} - {""}


def _too_large() -> JSONResponse:
    return JSONResponse({"error": SENTENCES[413]}, 413, headers={"Connection": "close"})


def _failed(path: str) -> JSONResponse:
    """Our routes foresee all that can be sent, so this is our fault; Gradio's stumble over what they do not expect."""
    if path.startswith(OURS):
        return JSONResponse({"error": WRONG}, 500)
    return JSONResponse({"error": "This cannot be understood: load the page again."}, 400)
