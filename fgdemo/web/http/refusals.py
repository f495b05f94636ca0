"""What a refusal says: one sentence of ours, whichever layer of the frameworks below has refused."""

from typing import Any

import orjson
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Message, Send

OURS = "/fgdemo/"
UPLOAD = "/gradio_api/upload"
LONGEST_SHOWN = 60
MOST_BYTES = 100_000
"""Of a refusal; a longer one is none of ours."""
WRONG = "Something went wrong on the server, and is in its log."
UNCLEAR = "This cannot be understood: fgdemo/openapi.json describes what can be asked, and how."
NO_UPLOAD = "This is no upload: send multipart/form-data with the files in its fields “files”."
SENTENCES = {
    403: "This is not here for you.",
    404: "There is nothing here.",
    406: "An answer in such a form there is not: accept application/json.",
    413: "This is more than is taken at once: send less.",
    415: "This comes in a form that is not taken here: send application/json.",
    416: "The file does not have these bytes: ask for a range within it, or for all of it.",
    429: "That is a lot at once: try again in a minute.",
}
RPC_SENTENCES = {
    -32700: "This is no JSON.",
    -32602: "This is no request of JSON-RPC 2.0: send one request at a time, with “jsonrpc”, “id” and “method”.",
    -32603: "This request cannot be answered.",
}
"""By JSON-RPC's codes; what MCP says with others are sentences already."""


def worded(send: Send, path: str) -> Send:
    """`send` that gives every refusal a sentence: `{"error": "…"}`, or of JSON-RPC the form that that has.

    Args:
        path: what is asked for, without the path below which all of this is served.
    """
    start: Message | None = None
    content = b""

    async def answer(message: Message) -> None:
        nonlocal start, content
        if message["type"] == "http.response.start":
            if message["status"] == 500 and not path.startswith(OURS):
                message["status"] = 400  # Gradio's word for every error of a handler, sentences to people included
            if message["status"] >= 400:
                start = message  # held back until it is known what follows
                return
        if start is None:
            await send(message)
            return
        content += message.get("body", b"")[:MOST_BYTES]
        if message.get("more_body"):
            return
        body = _said(path, start["status"], Headers(raw=start["headers"]), content)
        if body is not content:
            headers = MutableHeaders(scope=start)
            headers["content-type"], headers["content-length"] = "application/json", str(len(body))
        held, start = start, None
        await send(held)
        await send({"type": "http.response.body", "body": body})

    return answer


def _said(path: str, status: int, headers: Headers, content: bytes) -> bytes:
    """The body of a refusal; `content` itself where that is one already."""
    try:
        told = orjson.loads(content)
    except orjson.JSONDecodeError:
        told = None
    told = told if isinstance(told, dict) else {}
    error = told.get("error")
    if isinstance(error, str) or isinstance(told.get("reason"), str):  # the second is what /healthz says
        return content
    if "jsonrpc" in told and isinstance(error, dict):
        sentence = RPC_SENTENCES.get(error.get("code", 0))
        return orjson.dumps({**told, "error": {**error, "message": sentence}}) if sentence else content
    return orjson.dumps({"error": _sentence(path, status, headers, told)})


def _sentence(path: str, status: int, headers: Headers, told: dict[str, Any]) -> str:
    if status == 405 and "allow" in headers:
        return f"This is asked for by {' or '.join(sorted(headers['allow'].split(', ')))}."
    if status == 422:
        field = _field(told)
        return f"“{field}” is missing, or not what it must be: see fgdemo/openapi.json." if field else UNCLEAR
    if status == 400 and path.rstrip("/") == UPLOAD:
        return NO_UPLOAD
    return SENTENCES.get(status, UNCLEAR if status < 500 else WRONG)


def _field(told: dict[str, Any]) -> str:
    """The first that FastAPI has found wrong; empty where that is the whole of what was sent."""
    try:
        *above, last = told["detail"][0]["loc"]
    except (LookupError, TypeError, ValueError):
        return ""
    return str(last)[:LONGEST_SHOWN] if above else ""
