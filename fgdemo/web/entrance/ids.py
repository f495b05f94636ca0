"""Ids that strangers send: Gradio keeps something for each, for ever, so they have a form and a length."""

from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.types import Message, Receive

from fgdemo.web.entrance.allowed_routes import ID, LONGEST_ID
from fgdemo.web.http.payloads import BadRequestError

NAMES = ("session_hash", "event_id")
REFUSAL = f"“{{}}” must be letters, digits, - and _, {LONGEST_ID} at most."


def check_query(query: bytes) -> None:
    """Raises BadRequestError where an id of the query has another form."""
    for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        if name in NAMES and not ID.fullmatch(value):
            raise BadRequestError(REFUSAL.format(name))


async def read_object(receive: Receive) -> tuple[dict[str, Any], Receive]:
    """The JSON object that a request sends, whose ids have their form, and a `receive` that gives it once more.

    Raises:
        BadRequestError: it is no JSON object, or an id has another form.
    """
    content = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BadRequestError("The request ended before its end.")
        content += message.get("body", b"")
        more = message.get("more_body", False)
    try:
        sent = orjson.loads(content)
    except orjson.JSONDecodeError:
        raise BadRequestError("This is no JSON.") from None
    if not isinstance(sent, dict):
        raise BadRequestError("This must be a JSON object.")
    for name in NAMES:
        value = sent.get(name)
        if value is not None and not (isinstance(value, str) and ID.fullmatch(value)):
            raise BadRequestError(REFUSAL.format(name))
    return sent, _again(bytes(content), receive)


def _again(content: bytes, receive: Receive) -> Receive:
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()  # that the other side has gone
        given = True
        return {"type": "http.request", "body": content, "more_body": False}

    return again
