"""The questions as tools of an MCP server: JSON with its schema, enums, whole descriptions, and pictures as text."""

from __future__ import annotations

import base64
import binascii
import json
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import gradio as gr
from gradio.context import LocalContext
from gradio.data_classes import FileData
from gradio.utils import get_upload_folder
from mcp import types
from pydantic import BaseModel, Field

from fgdemo.values.errors import PictureError
from fgdemo.web.http.payloads import BadRequestError, uploaded_file
from fgdemo.web.programs.calls import check_names
from fgdemo.web.programs.endpoints import Endpoint

if TYPE_CHECKING:
    from mcp.server import Server

_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)?(;[\w=.+-]+)*,", re.ASCII)
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


class Sheet(BaseModel):
    file: str = Field(description="where the PNG is, relative to the page")
    size_bytes: int
    mime_type: str = "image/png"


@dataclass(frozen=True)
class Extra:
    """A flag of a tool without which some fields of its answer are left out, at any depth."""

    name: str
    fields: tuple[str, ...]
    about: str


EXTRAS: Mapping[str, Sequence[Extra]] = {
    "classify": (
        Extra(
            "with_maps",
            ("evidence", "share", "spread"),
            "also the maps: some hundred numbers for each candidate and part",
        ),
        Extra("with_picture", ("display",), "also the picture as the model saw it, a data URL of some 100 kB"),
    ),
    "methods": (Extra("with_maps", ("values", "spread"), "also the maps: some hundred numbers a method"),),
    "spread": (Extra("with_maps", ("values",), "also the maps: some three thousand numbers each"),),
    "neighbours": (Extra("with_thumbnails", ("thumbnail",), "also a thumbnail of each, a data URL of some 10 kB"),),
}
"""Agents read words, and pay for each: what fills their context is only there where it is asked for."""


class MistakenError(Exception):
    """One sentence for an agent; MCP marks the answer as an error."""


def serve_tools(server: Server, endpoints: Iterable[Endpoint], prefix: str) -> None:
    """Answer `tools/list` and `tools/call` of Gradio's MCP server from now on.

    Args:
        prefix: what Gradio puts before the names on a Space, by which Hugging Face's own server still calls them.
    """
    known = {endpoint.name: endpoint for endpoint in endpoints}
    tools = [tool_of(endpoint) for endpoint in known.values()]

    @server.list_tools()
    async def list_tools() -> list[types.Tool]:
        return tools

    @server.call_tool(validate_input=False)  # its sentences repeat all that was sent
    async def call_tool(name: str, arguments: dict[str, Any]) -> Any:
        endpoint = known.get(name.removeprefix(prefix))
        if endpoint is None:
            raise MistakenError(f"There is no tool of this name: choose one of {', '.join(known)}.")
        return await anyio.to_thread.run_sync(_answer, endpoint, arguments, server.request_context.request)


def tool_of(endpoint: Endpoint) -> types.Tool:
    """How an agent sees a question."""
    asked = endpoint.asked.model_json_schema()
    for extra in EXTRAS.get(endpoint.name, ()):
        asked["properties"][extra.name] = {"type": "boolean", "default": False, "description": extra.about}
    said = endpoint.described
    about = said.about + (f" Answers: {said.returns}" if said.returns else "")
    return types.Tool(
        name=endpoint.name,
        description=about,
        inputSchema={**asked, "additionalProperties": False},
        outputSchema=answer_schema(endpoint),
    )


def answer_schema(endpoint: Endpoint) -> dict[str, Any]:
    """MCP wants an object; fields that are only there where they are asked for are not required."""
    if endpoint.answer is None:
        return Sheet.model_json_schema(mode="serialization")
    schema = endpoint.answer.json_schema(mode="serialization")
    optional = {field for extra in EXTRAS.get(endpoint.name, ()) for field in extra.fields}
    for part in (schema, *schema.get("$defs", {}).values()):
        if "required" in part:
            part["required"] = [field for field in part["required"] if field not in optional]
    if schema.get("type") == "object" or "$ref" in schema:
        return {"type": "object", **schema}
    defs = schema.pop("$defs", {})
    return {"type": "object", "properties": {"result": schema}, "required": ["result"], "$defs": defs}


def _answer(endpoint: Endpoint, arguments: dict[str, Any], request: Any) -> Any:
    extras = EXTRAS.get(endpoint.name, ())
    flags = {extra.name: arguments.pop(extra.name, False) for extra in extras}
    wrong = [name for name, flag in flags.items() if not isinstance(flag, bool)]
    if wrong:
        raise MistakenError(f"“{wrong[0]}” must be true or false.")
    try:
        check_names(endpoint, set(arguments), list(flags))
        given = {name: field.get_default() for name, field in endpoint.asked.model_fields.items()} | arguments
        for name in endpoint.pictures:
            given[name] = _picture(given[name], name)
        LocalContext.request.set(request)  # ZeroGPU reads from it on whose account the GPU is lent
        reply = endpoint.ask(*(given[name] for name in endpoint.parameters), request)
    except (BadRequestError, PictureError) as error:
        raise MistakenError(str(error)) from error
    except gr.Error as error:
        raise MistakenError(str(error.message)) from error
    if isinstance(reply, FileData):
        return _sheet(Path(reply.path))
    left_out = {field for extra in extras if not flags[extra.name] for field in extra.fields}
    found = _without(reply, left_out)
    structured = found if isinstance(found, dict) else {"result": found}
    return [types.TextContent(type="text", text=json.dumps(structured, ensure_ascii=False))], structured


def _picture(sent: object, name: str) -> dict[str, Any]:
    """What an agent sent as an upload of ours. Raises PictureError."""
    if not isinstance(sent, str):
        raise PictureError(f"“{name}” must be text: a data URL, or the path that POST gradio_api/upload answered.")
    head = _DATA_URL.match(sent[:200])
    if head:
        try:
            if not head[0].lower().endswith(";base64,"):
                raise ValueError("no base64")
            content = base64.b64decode(re.sub(r"\s+", "", sent[head.end() :]), validate=True)
        except (binascii.Error, ValueError):
            raise PictureError(f"“{name}” must be base64 after “data:image/…;base64,”.") from None
        folder = Path(get_upload_folder()) / secrets.token_hex(16)  # among the uploads, which are cleared away
        folder.mkdir(parents=True)
        (folder / name).write_bytes(content)
        return {"path": str(folder / name), "orig_name": name}
    if _ADDRESS.match(sent) or sent.startswith("//"):
        raise PictureError(
            f"“{name}” is an address, and nothing is fetched from one: send the picture itself, as a data URL, or the "
            "path that POST gradio_api/upload answered."
        )
    return {"path": str(uploaded_file(sent))}


def _sheet(path: Path) -> tuple[list[types.ContentBlock], dict[str, Any]]:
    content = path.read_bytes()
    sheet = Sheet(file=f"gradio_api/file={path}", size_bytes=len(content))
    structured = sheet.model_dump()
    shown = types.ImageContent(type="image", data=base64.b64encode(content).decode("ascii"), mimeType="image/png")
    return [types.TextContent(type="text", text=json.dumps(structured)), shown], structured


def _without(value: Any, fields: set[str]) -> Any:
    """Plain JSON without some fields, at any depth."""
    if isinstance(value, Mapping):
        return {key: _without(item, fields) for key, item in value.items() if key not in fields}
    if isinstance(value, (list, tuple)):
        return [_without(item, fields) for item in value]
    return value
