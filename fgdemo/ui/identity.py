"""Who is asking: the one place where a request becomes a person. Every question checks the role by itself."""

from __future__ import annotations

import functools
import json
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import anyio
import gradio as gr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fgdemo.annotation import VISITOR, Person, Role
from fgdemo.errors import FgdemoError, ForbiddenError, StaleError, UnavailableError
from fgdemo.ui import payloads

if TYPE_CHECKING:
    from fgdemo.storage.accounts import Accounts

log = logging.getLogger(__name__)

COOKIE = "fgdemo_sign_in"
COOKIE_DAYS = 30
LARGEST_BODY_BYTES = 10_000

Question = Callable[[Person, dict[str, Any]], dict[str, Any]]


def who(request: Any, accounts: Accounts) -> Person:
    """The person who sent a request, Starlette's or Gradio's."""
    cookies = getattr(request, "cookies", None) or {}
    return accounts.person(cookies.get(COOKIE))


def answered(accounts: Accounts, role: Role) -> Callable[[Question], Callable[..., dict[str, Any]]]:
    """Make a server function of a question: it takes JSON from a person who has the role, and gives JSON.

    What goes wrong becomes one sentence with a code: forbidden, stale, bad (the message says what to do), or failed,
    which means that the same may work later, so that the page keeps an answer and sends it again.
    """

    def decorate(question: Question) -> Callable[..., dict[str, Any]]:
        def answer(payload: object, request: gr.Request) -> dict[str, Any]:
            try:
                person = who(request, accounts)
                person.require(role)
                return question(person, dict(payloads.fields(payload)))
            except ForbiddenError as error:
                return {"error": str(error), "code": "forbidden"}
            except StaleError as error:
                return {"error": str(error), "code": "stale"}
            except UnavailableError as error:
                log.warning("%s: %s", question.__name__, error)
                return {"error": str(error), "code": "failed"}
            except FgdemoError as error:
                return {"error": str(error), "code": "bad"}
            except Exception:
                log.exception("%s failed", question.__name__)
                return {"error": "Something went wrong on the server, and is in its log.", "code": "failed"}

        # Gradio reads the signature to see where the request goes, so it must not be that of `question`.
        functools.update_wrapper(answer, question)
        del answer.__wrapped__  # type: ignore[attr-defined]
        answer.__annotations__ = {"payload": object, "request": gr.Request, "return": dict}
        return answer

    return decorate


async def sign_in(request: Request, accounts: Accounts, framed: bool = False) -> Response:
    """POST {name, password} → a cookie. Other content types are refused, so that no foreign form can send it.

    Args:
        framed: another website may show this page in a frame, where a browser keeps an ordinary cookie away from it.
    """
    if not _is_json(request):
        return JSONResponse({"error": "Send JSON."}, 415)
    try:
        given = payloads.fields(json.loads(await _small_body(request)))
        name = payloads.text(given.get("name"), "name")
        password = given.get("password")
        token = await _in_thread(accounts.sign_in, name, password if isinstance(password, str) else "")
        person = await _in_thread(accounts.person, token)
        before = request.cookies.get(COOKIE)
        if before:  # a browser has one sign-in, and nobody goes on with one that was there before
            await _in_thread(accounts.sign_out, before)
    except UnavailableError as error:
        return JSONResponse({"error": str(error)}, 503)
    except FgdemoError as error:
        return JSONResponse({"error": str(error)}, 403)
    except (ValueError, RecursionError):
        return JSONResponse({"error": "Send JSON."}, 403)
    response = JSONResponse({"name": person.name, "role": person.role})
    _set_cookie(response, request, token, COOKIE_DAYS * 86400, framed)
    return response


async def sign_out(request: Request, accounts: Accounts, framed: bool = False) -> Response:
    """POST → the sign-in is forgotten, here and in the browser."""
    if not _is_json(request):
        return JSONResponse({"error": "Send JSON."}, 415)
    token = request.cookies.get(COOKIE)
    if token:
        try:
            await _in_thread(accounts.sign_out, token)
        except FgdemoError as error:  # still signed in, so the page must not say otherwise
            return JSONResponse({"error": str(error)}, 503)
    response = JSONResponse({"name": VISITOR.name, "role": VISITOR.role})
    _set_cookie(response, request, "", 0, framed)
    return response


def _set_cookie(response: Response, request: Request, token: str, max_age_s: int, framed: bool) -> None:
    """With TLS the cookie never goes without; no script reads it, and pages of other websites cannot send it."""
    secure = "https" in (request.url.scheme, request.headers.get("x-forwarded-proto"))
    framed = framed and secure
    response.set_cookie(
        COOKIE, token, max_age=max_age_s, httponly=True, secure=secure, samesite="none" if framed else "lax"
    )
    if framed:  # one for each website around us; Python's own cookies learn the word in 3.14
        response.headers["set-cookie"] += "; Partitioned"


async def me(request: Request, accounts: Accounts) -> Response:
    """GET → who is signed in, and whether there are accounts at all."""
    try:
        person = await _in_thread(who, request, accounts)
        any_account = bool(await _in_thread(accounts.all))
    except FgdemoError as error:
        return JSONResponse({"error": str(error)}, 503)
    return JSONResponse({"name": person.name, "role": person.role, "any_account": any_account})


def _is_json(request: Request) -> bool:
    return request.headers.get("content-type", "").startswith("application/json")


async def _small_body(request: Request) -> bytes:
    """What was sent; a flood is not read to its end."""
    body = b""
    async for some in request.stream():
        body += some
        if len(body) > LARGEST_BODY_BYTES:
            raise ForbiddenError("The name or the password is not right.")
    return body


async def _in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    return await anyio.to_thread.run_sync(functools.partial(function, *arguments))
