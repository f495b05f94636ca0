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
from fgdemo.storage.tokens import PREFIX
from fgdemo.ui import payloads
from fgdemo.ui.observed import asked, asking_of

if TYPE_CHECKING:
    from fgdemo.storage.accounts import Accounts

log = logging.getLogger(__name__)

COOKIE = "fgdemo_sign_in"
COOKIE_DAYS = 30
LARGEST_BODY_BYTES = 10_000

Question = Callable[[Person, dict[str, Any]], dict[str, Any]]


def who(request: Any, accounts: Accounts) -> Person:
    """The person, or the program, who sent a request, Starlette's or Gradio's.

    Raises:
        ForbiddenError: a token of ours that is not known (any more).
    """
    token = sent_token(request)
    cookies = getattr(request, "cookies", None) or {}
    person = accounts.tokens.person(token) if token else accounts.person(cookies.get(COOKIE))
    asking_of(request).person = "" if person == VISITOR else person.name
    return person


def sent_token(request: Any) -> str | None:
    """The token of a program, from `Authorization: Bearer …`; those of others (a private Space has its own) are not."""
    kind, _, token = (dict(getattr(request, "headers", None) or {}).get("authorization") or "").partition(" ")
    return token.strip() if kind.lower() == "bearer" and token.strip().startswith(PREFIX) else None


def answered(accounts: Accounts, role: Role) -> Callable[[Question], Callable[..., dict[str, Any]]]:
    """Make a server function of a question: it takes JSON from a person who has the role, and gives JSON.

    What goes wrong becomes one sentence with a code: forbidden, stale, bad (the message says what to do), or failed,
    which means that the same may work later, so that the page keeps an answer and sends it again.
    """

    def decorate(question: Question) -> Callable[..., dict[str, Any]]:
        def answer(payload: object, request: gr.Request) -> dict[str, Any]:
            with asked(request, question.__name__) as asking:
                try:
                    person = who(request, accounts)
                    person.require(role)
                    reply = question(person, dict(payloads.fields(payload)))
                except FgdemoError as error:
                    if isinstance(error, UnavailableError):
                        log.warning("%s: %s", question.__name__, error)
                    reply = {"error": str(error), "code": code_of(error)}
                except Exception:
                    log.exception("%s failed", question.__name__)
                    reply = {"error": "Something went wrong on the server, and is in its log.", "code": "failed"}
                asking.outcome = reply.get("code", "ok")
                return reply

        # Gradio reads the signature to see where the request goes, so it must not be that of `question`.
        functools.update_wrapper(answer, question)
        del answer.__wrapped__  # type: ignore[attr-defined]
        answer.__annotations__ = {"payload": object, "request": gr.Request, "return": dict}
        return answer

    return decorate


def code_of(error: FgdemoError) -> str:
    """What kind of refusal an error is, for a page or a program."""
    codes = ((ForbiddenError, "forbidden"), (StaleError, "stale"), (UnavailableError, "failed"))
    return next((code for kind, code in codes if isinstance(error, kind)), "bad")


async def sign_in(request: Request, accounts: Accounts) -> Response:
    """POST {name, password} → a cookie. Other content types are refused, so that no foreign form can send it."""
    if not _is_json(request):
        return JSONResponse({"error": "Send JSON."}, 415)
    try:
        given = payloads.fields(json.loads(await _small_body(request)))
        name = payloads.text(given.get("name"), "name")
        password = given.get("password")
        token = await _in_thread(accounts.sign_in, name, password if isinstance(password, str) else "")
        person = await _in_thread(accounts.person, token)
    except UnavailableError as error:
        return JSONResponse({"error": str(error)}, 503)
    except FgdemoError as error:
        return JSONResponse({"error": str(error)}, 403)
    except (ValueError, RecursionError):
        return JSONResponse({"error": "Send JSON."}, 403)
    response = JSONResponse({"name": person.name, "role": person.role})
    response.set_cookie(
        COOKIE, token, max_age=COOKIE_DAYS * 86400, httponly=True, samesite="lax",
        secure=request.url.scheme == "https",
    )  # fmt: skip
    return response


async def sign_out(request: Request, accounts: Accounts) -> Response:
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
    response.delete_cookie(COOKIE)
    return response


async def me(request: Request, accounts: Accounts) -> Response:
    """GET → who is signed in, and whether there are accounts at all."""
    try:
        person = await _in_thread(who, request, accounts)
        any_account = bool(await _in_thread(accounts.all))
    except FgdemoError as error:
        return JSONResponse({"error": str(error)}, 403 if code_of(error) == "forbidden" else 503)
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
