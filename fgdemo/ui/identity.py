"""Who is asking: the one place where a request becomes a person. Every question checks the role by itself."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gradio as gr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fgdemo.annotation import VISITOR, Person, Role
from fgdemo.errors import FgdemoError, ForbiddenError, StaleError
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

    What goes wrong becomes one sentence with a code: forbidden, stale, bad (the message says what to do) or failed.
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


async def sign_in(request: Request, accounts: Accounts) -> Response:
    """POST {name, password} → a cookie. Other content types are refused, so that no foreign form can send it."""
    if not request.headers.get("content-type", "").startswith("application/json"):
        return JSONResponse({"error": "Send JSON."}, 415)
    body = await request.body()
    try:
        if len(body) > LARGEST_BODY_BYTES:
            raise ForbiddenError("The name or the password is not right.")
        given = payloads.fields(await request.json())
        name = payloads.text(given.get("name"), "name")
        password = given.get("password")
        token = await _in_thread(accounts.sign_in, name, password if isinstance(password, str) else "")
    except (FgdemoError, ValueError) as error:
        sentence = str(error) if isinstance(error, FgdemoError) else "Send JSON."
        return JSONResponse({"error": sentence}, 403)
    person = accounts.person(token)
    response = JSONResponse({"name": person.name, "role": person.role})
    response.set_cookie(
        COOKIE, token, max_age=COOKIE_DAYS * 86400, httponly=True, samesite="lax",
        secure=request.url.scheme == "https",
    )  # fmt: skip
    return response


async def sign_out(request: Request, accounts: Accounts) -> Response:
    """POST → the sign-in is forgotten, here and in the browser."""
    if not request.headers.get("content-type", "").startswith("application/json"):
        return JSONResponse({"error": "Send JSON."}, 415)
    token = request.cookies.get(COOKIE)
    if token:
        await _in_thread(accounts.sign_out, token)
    response = JSONResponse({"name": VISITOR.name, "role": VISITOR.role})
    response.delete_cookie(COOKIE)
    return response


async def me(request: Request, accounts: Accounts) -> Response:
    """GET → who is signed in, and whether there are accounts at all."""
    person = await _in_thread(who, request, accounts)
    any_account = bool(await _in_thread(accounts.all))
    return JSONResponse({"name": person.name, "role": person.role, "any_account": any_account})


async def _in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    import anyio

    return await anyio.to_thread.run_sync(functools.partial(function, *arguments))
