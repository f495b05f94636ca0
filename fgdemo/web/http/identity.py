"""Who is asking: the one place where a request becomes a person. Every question checks the role by itself."""

from __future__ import annotations

import functools
import logging
import re
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anyio
import gradio as gr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fgdemo.storage.disk.strict_json import BadJsonError, read_json
from fgdemo.storage.people.tokens import PREFIX
from fgdemo.values.annotation import VISITOR, Person, Role
from fgdemo.values.errors import BusyError, FgdemoError, ForbiddenError, StaleError, UnavailableError
from fgdemo.web.http import payloads
from fgdemo.web.http.forwarded import scheme_of
from fgdemo.web.http.observed import asked, asking_of
from fgdemo.web.http.replies import Me, SignedIn

if TYPE_CHECKING:
    from fgdemo.storage.people.accounts import Accounts

log = logging.getLogger(__name__)

COOKIE = "fgdemo_sign_in"
COOKIE_DAYS = 30
LARGEST_BODY_BYTES = 10_000
REFUSED_AFTER_S = 0.5
"""No refusal comes earlier, so that its time does not tell how the password of an account is kept."""
_HUB_NAME = re.compile(r"[A-Za-z0-9._-]{1,96}")


class Credentials(payloads.Asked):
    name: payloads.Text
    password: str


def who(request: Any, accounts: Accounts) -> Person:
    """The person, or the program, who sent a request, Starlette's or Gradio's: of a token, an account, or the Hub.

    Raises:
        ForbiddenError: a token of ours that is not known (any more).
    """
    person = _person(request, accounts)
    asking_of(request).person = "" if person == VISITOR else person.name
    return person


def _person(request: Any, accounts: Accounts) -> Person:
    token = sent_token(request)
    if token:
        return accounts.tokens.person(token)
    cookies = getattr(request, "cookies", None) or {}
    person = accounts.person(cookies.get(COOKIE))
    if person != VISITOR:
        return person
    info = _hub_session(request)
    return VISITOR if info is None else accounts.hub_person(*info)


def sent_token(request: Any) -> str | None:
    """The token of a program, from `Authorization: Bearer …`; those of others (a private Space has its own) are not."""
    kind, _, token = (dict(getattr(request, "headers", None) or {}).get("authorization") or "").partition(" ")
    return token.strip() if kind.lower() == "bearer" and token.strip().startswith(PREFIX) else None


def _hub_session(request: Any) -> tuple[str, list[str]] | None:
    """(user, organisations) of whoever has signed in with Hugging Face, as Gradio's routes noted it in the session.

    Its cookie is signed, and goes along with requests from any site (`SameSite=None`, because Spaces are shown in a
    frame), and Gradio lets any site read the replies. So a request that a foreign page sends is nobody's.
    """
    info = _session(request).get("oauth_info")
    if not isinstance(info, dict) or not isinstance(info.get("userinfo"), dict):
        return None
    expires_at = info.get("expires_at")
    if not isinstance(expires_at, (int, float)) or expires_at < time.time() or not _is_own_page(request.headers):
        return None
    user, orgs = info["userinfo"].get("preferred_username"), info["userinfo"].get("orgs")
    if not isinstance(user, str) or not _HUB_NAME.fullmatch(user):
        return None
    listed = [one.get("preferred_username") for one in orgs or () if isinstance(one, dict)]
    return user, [name for name in listed if isinstance(name, str) and _HUB_NAME.fullmatch(name)]


def _session(request: Any) -> dict[str, Any]:
    """What the signed cookie holds; Gradio's request has Starlette's in it, and cannot give its scope."""
    sent = getattr(request, "request", None) or request
    return (getattr(sent, "scope", None) or {}).get("session", {})


def _is_own_page(headers: Mapping[str, str]) -> bool:
    """Whether a request comes from our page, or from none. Browsers say so, and scripts cannot say otherwise."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")


def hub_token(request: Any) -> str | None:
    """The token of whoever has signed in with Hugging Face, with what they have allowed this Space to do; or None."""
    if _hub_session(request) is None:
        return None
    token = _session(request)["oauth_info"].get("access_token")
    return token if isinstance(token, str) else None


def answered(
    accounts: Accounts, role: Role, with_token: bool = False
) -> Callable[[Callable[..., dict[str, Any]]], Callable[..., dict[str, Any]]]:
    """Make a server function of a question: it takes JSON from a person who has the role, and gives JSON.

    What is sent is read by the model that the question's parameter `asked` names.

    Args:
        with_token: the question is given the person's `hub_token`, too.

    What goes wrong becomes one sentence with a code: forbidden, stale, bad (the message says what to do), or busy and
    failed, which mean that the same may work later, so that the page keeps an answer and sends it again.
    """

    def decorate(question: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
        model = payloads.asked_by(question)

        def answer(payload: object, request: gr.Request) -> dict[str, Any]:
            with asked(request, question.__name__) as asking:
                try:
                    person = who(request, accounts)
                    person.require(role)
                    own = [hub_token(request)] if with_token else []
                    reply = question(person, payloads.read(model, payload), *own)
                except FgdemoError as error:
                    if isinstance(error, UnavailableError):
                        log.warning("%s: %s", question.__name__, error)
                    wait = {"retry_after_s": error.retry_after_s} if isinstance(error, BusyError) else {}
                    reply = {"error": str(error), "code": code_of(error), **wait}
                except Exception:
                    log.exception("%s failed", question.__name__)
                    reply = {"error": "Something went wrong on the server, and is in its log.", "code": "failed"}
                asking.outcome = reply.get("code", "ok")
                return reply

        return as_server_function(answer, question)

    return decorate


def as_server_function(answer: Callable[..., Any], question: Callable[..., Any]) -> Callable[..., dict[str, Any]]:
    """`answer` under the name of the question. Gradio reads its signature to see where the request goes."""
    functools.update_wrapper(answer, question)
    del answer.__wrapped__  # type: ignore[attr-defined]
    answer.__annotations__ = {"payload": object, "request": gr.Request, "return": dict}
    return answer


def code_of(error: FgdemoError) -> str:
    """What kind of refusal an error is, for a page or a program."""
    codes = ((ForbiddenError, "forbidden"), (StaleError, "stale"), (UnavailableError, "failed"), (BusyError, "busy"))
    return next((code for kind, code in codes if isinstance(error, kind)), "bad")


async def sign_in(
    request: Request, accounts: Accounts, place_of: Callable[[Request], str], framed: bool = False
) -> Response:
    """POST {name, password} → a cookie. Other content types are refused, so that no foreign form can send it.

    Args:
        place_of: the address that a request comes from.
        framed: another website may show this page in a frame, where a browser keeps an ordinary cookie away from it.
    """
    if not is_json(request):
        return JSONResponse({"error": "Send JSON."}, 415)
    answer_at_s = time.monotonic() + REFUSED_AFTER_S
    response = await _signed_in(request, accounts, place_of(request), framed)
    if response.status_code == 403:
        await anyio.sleep(max(0.0, answer_at_s - time.monotonic()))
    return response


async def _signed_in(request: Request, accounts: Accounts, place: str, framed: bool) -> Response:
    try:
        given = payloads.read(Credentials, read_json(await small_body(request)))
        return await enter(request, accounts, given.name, given.password, place, framed)
    except BadJsonError:
        return JSONResponse({"error": "Send JSON."}, 403)
    except UnavailableError as error:
        return JSONResponse({"error": str(error)}, 503)
    except FgdemoError as error:
        return JSONResponse({"error": str(error)}, 403)


async def enter(
    request: Request, accounts: Accounts, name: str, password: str, place: str = "", framed: bool = False
) -> Response:
    """The cookie of whoever has this name and password. Raises FgdemoError."""
    token = await _in_thread(accounts.sign_in, name, password, place)
    person = await _in_thread(accounts.person, token)
    before = request.cookies.get(COOKIE)
    if before:  # a browser has one sign-in, and nobody goes on with one that was there before
        await _in_thread(accounts.sign_out, before)
    response = JSONResponse(SignedIn(name=person.name, role=person.role).model_dump())
    _set_cookie(response, request, token, COOKIE_DAYS * 86400, framed)
    return response


async def sign_out(request: Request, accounts: Accounts, framed: bool = False) -> Response:
    """POST → the sign-in is forgotten, here and in the browser."""
    if not is_json(request):
        return JSONResponse({"error": "Send JSON."}, 415)
    token = request.cookies.get(COOKIE)
    if token:
        try:
            await _in_thread(accounts.sign_out, token)
        except FgdemoError as error:  # still signed in, so the page must not say otherwise
            return JSONResponse({"error": str(error)}, 503)
    request.scope.get("session", {}).pop("oauth_info", None)
    response = JSONResponse(SignedIn(name=VISITOR.name, role=VISITOR.role).model_dump())
    _set_cookie(response, request, "", 0, framed)
    return response


def _set_cookie(response: Response, request: Request, token: str, max_age_s: int, framed: bool) -> None:
    """With TLS the cookie never goes without; no script reads it, and pages of other websites cannot send it."""
    secure = scheme_of(request) == "https"
    framed = framed and secure
    response.set_cookie(
        COOKIE, token, max_age=max_age_s, httponly=True, secure=secure, samesite="none" if framed else "lax"
    )
    if framed:  # one for each website around us; Python's own cookies learn the word in 3.14
        response.headers["set-cookie"] += "; Partitioned"


async def me(request: Request, accounts: Accounts, hub_sign_in: bool = False) -> Response:
    """GET → who is signed in, whether there are accounts at all, and whether one can sign in with Hugging Face."""
    try:
        person = await _in_thread(who, request, accounts)
        any_account = bool(await _in_thread(accounts.all))
    except FgdemoError as error:
        return JSONResponse({"error": str(error)}, 403 if code_of(error) == "forbidden" else 503)
    reply = Me(name=person.name, role=person.role, any_account=any_account, hub_sign_in=hub_sign_in)
    return JSONResponse(reply.model_dump())


def is_json(request: Request) -> bool:
    return request.headers.get("content-type", "").startswith("application/json")


async def small_body(request: Request) -> bytes:
    """What was sent; a flood is not read to its end."""
    body = b""
    async for some in request.stream():
        body += some
        if len(body) > LARGEST_BODY_BYTES:
            raise ForbiddenError("The name or the password is not right.")
    return body


async def _in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    return await anyio.to_thread.run_sync(functools.partial(function, *arguments))
