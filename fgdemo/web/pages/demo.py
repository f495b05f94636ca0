"""Routes that only a demo has: how far it is, and who one is in it. Both answer this machine alone."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fgdemo.storage.disk.strict_json import BadJsonError, read_json
from fgdemo.values.annotation import Role
from fgdemo.values.errors import FgdemoError, UnavailableError
from fgdemo.web.http import payloads
from fgdemo.web.http.identity import enter, is_json, sign_out, small_body

if TYPE_CHECKING:
    from fgdemo.services.operating.demo import Demo
    from fgdemo.storage.people.accounts import Accounts

HERE = frozenset({"127.0.0.1", "localhost", "::1"})
ELSEWHERE = "A demo answers on this machine only: open it at http://127.0.0.1."


class Chosen(payloads.Asked):
    role: Role


def demo_routes(demo: Demo, accounts: Accounts) -> list[Route]:
    """Below `fgdemo/demo`."""
    return [
        Route("/fgdemo/demo", partial(_now, demo), methods=["GET"]),
        Route("/fgdemo/demo/person", partial(_switch, demo, accounts), methods=["POST"]),
    ]


async def _now(demo: Demo, request: Request) -> Response:
    """GET → how far it is prepared, then what was tried. It does not wait for the model."""
    if not _is_here(request):
        return JSONResponse({"error": ELSEWHERE}, 403)
    try:
        now = await anyio.to_thread.run_sync(demo.now)
    except FgdemoError as error:
        return JSONResponse({"error": str(error)}, 503)
    return JSONResponse(payloads.as_json(now), headers={"Cache-Control": "no-store"})


async def _switch(demo: Demo, accounts: Accounts, request: Request) -> Response:
    """POST {role} → the cookie of the one who has that role, as signing in sets it. Foreign pages are refused before
    (`fgdemo.web.http.guard`), and no foreign form can send JSON; a name that leads here from elsewhere is none of ours.
    """
    if not _is_here(request):
        return JSONResponse({"error": ELSEWHERE}, 403)
    if not is_json(request):
        return JSONResponse({"error": "Send JSON."}, 415)
    try:
        role = payloads.read(Chosen, read_json(await small_body(request))).role
        if role == "visitor":
            return await sign_out(request, accounts)
        return await enter(request, accounts, *demo.credentials(role))
    except BadJsonError:
        return JSONResponse({"error": "Send JSON."}, 400)
    except FgdemoError as error:
        return JSONResponse({"error": str(error)}, 503 if isinstance(error, UnavailableError) else 400)


def _is_here(request: Request) -> bool:
    """Whether the browser asked for this machine by one of its own names."""
    try:
        return urlsplit(f"//{request.headers.get('host', '')}").hostname in HERE
    except ValueError:  # no address at all
        return False
