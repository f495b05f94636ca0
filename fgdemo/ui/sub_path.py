"""Behind a proxy: the path below which all of this is served, and the address that the person's browser has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse

from fgdemo.ui.forwarded import scheme_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}(:\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?")
_FORWARDED_HOST = re.compile(r'(?:^|[;,\s])host\s*=\s*"?([^";,\s]+)', re.IGNORECASE)


class SubPath:
    """ASGI middleware, the first of all: what follows sees one form of a request, whatever the proxy makes of it.

    A proxy may strip the path before which all of this lies (`/tools/fgdemo`) or keep it. ASGI wants it kept, and named
    in `root_path`; where it was stripped, files below a mounted folder would not be found.

    Args:
        root_path: what `GRADIO_ROOT_PATH` says: a path, or a whole address.
    """

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self._app = app
        self._prefix = urlsplit(root_path).path.rstrip("/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        prefix, path = self._prefix, scope["path"]
        raw_path = scope.get("raw_path") or quote(path).encode("ascii")
        if prefix and path == prefix:  # addresses in the page are relative to the folder
            return await RedirectResponse(f"{prefix}/")(scope, receive, send)
        if prefix and not path.startswith(f"{prefix}/"):
            path, raw_path = prefix + path, quote(prefix).encode("ascii") + raw_path
        told = _headers(HTTPConnection(scope))
        seen = {"path": path, "raw_path": raw_path, "root_path": prefix, "headers": told}
        return await self._app({**scope, **seen}, receive, send)


def _headers(request: HTTPConnection) -> list[tuple[bytes, bytes]]:
    """Those of the request, with what proxies say of scheme and host in the one form that Gradio reads."""
    headers: Headers = request.headers
    kept = [(name, value) for name, value in headers.raw if name not in (b"x-forwarded-proto", b"x-forwarded-host")]
    scheme = scheme_of(request)
    if scheme == "https" or "x-forwarded-proto" in headers:
        kept.append((b"x-forwarded-proto", scheme.encode()))
    host = ",".join(headers.getlist("x-forwarded-host")).split(",")[0].strip()
    if not host:
        found = _FORWARDED_HOST.search(",".join(headers.getlist("forwarded")))
        host = found[1] if found else ""
    if _HOST.fullmatch(host):
        kept.append((b"x-forwarded-host", host.encode()))
    return kept
