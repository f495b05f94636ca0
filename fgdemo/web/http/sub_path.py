"""Behind a proxy: the path below which all of this is served, and the address that the person's browser has."""

import re
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fgdemo.web.http.forwarded import scheme_of

AGENTS = "/gradio_api/mcp"
_REWRITTEN = (b"x-forwarded-proto", b"x-forwarded-host", b"x-gradio-server")
"""The last one is Gradio's own, from which it would take the page's address."""
_PREFIX = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]{1,64}){1,8}")
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}(:\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?")
_FORWARDED_HOST = re.compile(r'(?:^|[;,\s])host\s*=\s*"?([^";,\s]+)', re.IGNORECASE)


class SubPath:
    """ASGI middleware, the first of all: what follows sees one form of a request, whatever the proxy makes of it.

    A proxy may strip the path before which all of this lies (`/tools/fgdemo`) or keep it. ASGI wants it kept, and named
    in `root_path`; where it was stripped, files below a mounted folder would not be found.

    Args:
        root_path: what `GRADIO_ROOT_PATH` says: a path, or a whole address. Where it says nothing, that which a proxy
            tells in X-Forwarded-Prefix.
        proxies: how many there are; where there is none, anybody may have written that.
    """

    def __init__(self, app: ASGIApp, root_path: str, proxies: int = 0) -> None:
        self._app = app
        self._is_set, self._prefix = bool(root_path), urlsplit(root_path).path.rstrip("/")
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        prefix, path = self._prefix, scope["path"]
        told_prefix = _told_prefix(scope) if self._proxies and not self._is_set else ""
        prefix = prefix or told_prefix
        raw_path = scope.get("raw_path") or quote(path).encode("ascii")
        if prefix and path == prefix:  # addresses in the page are relative to the folder
            return await RedirectResponse(f"{prefix}/")(scope, receive, send)
        if prefix and not path.startswith(f"{prefix}/"):
            path, raw_path = prefix + path, quote(prefix).encode("ascii") + raw_path
        if path == f"{prefix}{AGENTS}":  # not every client follows the redirect to the folder
            path, raw_path = f"{path}/", raw_path + b"/"
        in_host = "" if path.startswith(f"{prefix}{AGENTS}") else told_prefix
        told = _headers(HTTPConnection(scope), in_host)
        seen = {"path": path, "raw_path": raw_path, "root_path": prefix, "headers": told}
        here = f"{scope['scheme']}://{Headers(scope=scope).get('host', '')}/"

        async def answer(message: Message) -> None:
            """A redirect to this server leads to where the browser found it, not to what the proxy calls it."""
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                target = headers.get("location", "")
                if target.startswith(here):
                    headers["location"] = target[len(here) - 1 :]
            await send(message)

        return await self._app({**scope, **seen}, receive, answer)


def _told_prefix(scope: Scope) -> str:
    """Of several proxies that strip one path each, the paths one after the other; empty where one is none."""
    told = [one.strip().rstrip("/") for one in ",".join(Headers(scope=scope).getlist("x-forwarded-prefix")).split(",")]
    whole = "".join(told)
    return whole if _PREFIX.fullmatch(whole) else ""


def _headers(request: HTTPConnection, in_host: str) -> list[tuple[bytes, bytes]]:
    """Those of the request, with what proxies say of scheme and host in the one form that Gradio reads.

    Args:
        in_host: the path that goes with the host, because Gradio knows one only for all requests; its page for agents
            takes it from the address.
    """
    headers: Headers = request.headers
    kept = [(name, value) for name, value in headers.raw if name not in _REWRITTEN]
    scheme = scheme_of(request)
    if scheme == "https" or "x-forwarded-proto" in headers:
        kept.append((b"x-forwarded-proto", scheme.encode()))
    host = ",".join(headers.getlist("x-forwarded-host")).split(",")[0].strip()
    if not host:
        found = _FORWARDED_HOST.search(",".join(headers.getlist("forwarded")))
        host = found[1] if found else ""
    host = host if _HOST.fullmatch(host) else headers.get("host", "") if in_host else ""
    if _HOST.fullmatch(host):
        kept.append((b"x-forwarded-host", f"{host}{in_host}".encode()))
    return kept
