"""What the proxies before this server say about a request: how it came to the first of them."""

import re

from starlette.requests import HTTPConnection
from starlette.types import Scope

_FORWARDED_PROTO = re.compile(r'(?:^|[;,\s])proto\s*=\s*"?([A-Za-z]+)', re.IGNORECASE)
_SCHEMES = {"https": "https", "wss": "https", "http": "http", "ws": "http"}
_SWITCHES = ("x-forwarded-ssl", "front-end-https")


def scheme_of(request: HTTPConnection) -> str:
    """`http` or `https`: what the person's browser speaks.

    Each proxy may add a word at the end, so the first one is the browser's: `X-Forwarded-Proto: https, http`, or the
    first `proto=` of `Forwarded`, which is RFC 7239. Somebody who lies here only spoils their own cookie.
    """
    headers = request.headers
    told = ",".join(headers.getlist("x-forwarded-proto")).split(",")[0].strip().lower()
    if told not in _SCHEMES:
        found = _FORWARDED_PROTO.search(",".join(headers.getlist("forwarded")))
        told = found[1].lower() if found else ""
    if told not in _SCHEMES and any(headers.get(name, "").strip().lower() == "on" for name in _SWITCHES):
        told = "https"
    return _SCHEMES.get(told) or _SCHEMES.get(request.url.scheme, "http")


def path_of(scope: Scope) -> str:
    """What is asked for, without the path below which all of this is served."""
    path, root = scope["path"], scope.get("root_path", "").rstrip("/")
    return path[len(root) :] if root and path.startswith(f"{root}/") else path
