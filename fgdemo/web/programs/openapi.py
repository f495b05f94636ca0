"""What programs may ask over HTTP, as OpenAPI 3.1.

Gradio describes its endpoints too, but says neither what they answer, nor what goes wrong, nor that some want a token,
nor anything of the routes beside them. All of that is said here, from the same signatures and docstrings.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from fgdemo import __version__
from fgdemo.web.http.replies import HealthReply, Me, Refusal
from fgdemo.web.programs.endpoints import Endpoint

FILE = {
    "type": "object",
    "required": ["path", "meta"],
    "properties": {
        "path": {"type": "string", "description": "what POST gradio_api/upload answered"},
        "meta": {"type": "object", "properties": {"_type": {"const": "gradio.FileData"}}, "required": ["_type"]},
    },
}
UPLOAD = {"type": "object", "properties": {"files": {"type": "array", "items": {"type": "string", "format": "binary"}}}}
PROBLEM = Refusal.model_json_schema()
PATHS = {"type": "array", "items": {"type": "string"}}
REFERENCE = "#/components/schemas/{model}"
ABOUT = (
    "A question takes two requests: POST begins it and answers with its event_id, GET with that id waits for the "
    "answer, an event stream whose last event is “complete” with a JSON array of one value, or “error” with one "
    "sentence. Where a question is for experts or maintainers, send a token (python -m fgdemo token add NAME) as "
    "“Authorization: Bearer …”."
)
STATUSES = {
    400: "What was sent does not fit; the sentence names it.",
    403: "The one who asks has no right to it, or the page of another website asks.",
    404: "There is nothing of this name.",
    405: "This is asked for by another method, see the header Allow.",
    413: "More was sent than is taken at once.",
    429: "A lot at once from one place; the header Retry-After says for how many seconds to wait.",
    503: "Not just now: the server starts, is stopped, or cannot write.",
}
ALWAYS = (404, 405, 429)
"""What every route may answer."""


def openapi(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """The whole description."""
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    for endpoint in endpoints:
        paths[f"/gradio_api/call/v2/{endpoint.name}"] = {"post": _begin(endpoint, schemas)}
        paths[f"/gradio_api/call/{endpoint.name}/{{event_id}}"] = {"get": _answer(endpoint, schemas)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "fgdemo", "version": __version__, "description": ABOUT},
        "paths": {**paths, **_routes(schemas)},
        "components": {"schemas": schemas, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "security": [{}, {"token": []}],
    }


def _begin(endpoint: Endpoint, schemas: dict[str, Any]) -> dict[str, Any]:
    body = _schema(TypeAdapter(endpoint.asked), schemas, "validation")
    for name in endpoint.pictures:
        body["properties"][name] = {**FILE, "description": endpoint.described.parameters[name]}
    begun = {"type": "object", "properties": {"event_id": {"type": "string"}}, "required": ["event_id"]}
    return {
        "operationId": endpoint.name,
        "summary": endpoint.described.about,
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {"200": _json("The question is being answered.", begun), **_refusals(400, 403, 413, 503)},
    }


def _answer(endpoint: Endpoint, schemas: dict[str, Any]) -> dict[str, Any]:
    told = endpoint.answer
    value = _schema(told, schemas) if told else FILE
    array = {"type": "array", "prefixItems": [value], "minItems": 1, "maxItems": 1}
    stream = {"schema": {"type": "string", "contentMediaType": "application/json", "contentSchema": array}}
    about = f"The data of the event “complete”: {endpoint.described.returns} Or the event “error” with one sentence."
    return {
        "operationId": f"{endpoint.name}_answer",
        "summary": f"The answer of {endpoint.name}.",
        "parameters": [_in_path("event_id", "what POST answered")],
        "responses": {"200": {"description": about, "content": {"text/event-stream": stream}}, **_refusals()},
    }


def _refusals(*statuses: int) -> dict[str, Any]:
    """Each is one sentence as `error`."""
    return {str(status): _json(STATUSES[status], PROBLEM) for status in sorted({*statuses, *ALWAYS})}


def _schema(kind: TypeAdapter[Any], schemas: dict[str, Any], mode: JsonSchemaMode = "serialization") -> dict[str, Any]:
    """How a type looks as JSON, once what that refers to lies among `schemas`."""
    schema = kind.json_schema(mode=mode, ref_template=REFERENCE)
    schemas.update(schema.pop("$defs", {}))
    return schema


def _routes(schemas: dict[str, Any]) -> dict[str, Any]:
    """What is served beside Gradio's endpoints and is of use to a program."""
    me, health = (_schema(TypeAdapter(one), schemas) for one in (Me, HealthReply))
    image, size = _in_path("image", "id of a picture"), _in_path("size", "display or thumbnail")
    size["schema"] = {"enum": ["display", "thumbnail"]}
    picture = _get("picture", "A picture of the workspace. For experts.", _file("The picture.", "image/jpeg"))
    exported = _file("The file.", "application/octet-stream")
    ready = {"200": _json("Yes.", health), **_refusals(), "503": _json("No, and why.", health)}
    about_metrics = "Figures for Prometheus. For maintainers, and with any token."
    gets = {
        "/fgdemo/me": _get("me", "Who asks.", _json("Name and role.", me)),
        "/fgdemo/pictures/{image}/{size}": {**picture, "parameters": [image, size]},
        "/fgdemo/pictures.csv": _get("table", "All pictures as a table. For experts.", _file("The table.", "text/csv")),
        "/fgdemo/data/export": _get("export", "What start_export wrote. For maintainers.", exported),
        "/healthz": {"operationId": "health", "summary": "Whether questions are answered.", "responses": ready},
        "/metrics": _get("metrics", about_metrics, _file("Text.", "text/plain")),
    }
    upload = {
        "operationId": "upload",
        "summary": "Send pictures; the paths in the answer name them in questions.",
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": UPLOAD}}},
        "responses": {"200": _json("One path for each file.", PATHS), **_refusals(400, 403, 413, 503)},
    }
    return {"/gradio_api/upload": {"post": upload}, **{path: {"get": get} for path, get in gets.items()}}


def _get(name: str, about: str, answer: dict[str, Any]) -> dict[str, Any]:
    return {"operationId": name, "summary": about, "responses": {"200": answer, **_refusals(403, 503)}}


def _json(about: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": about, "content": {"application/json": {"schema": schema}}}


def _file(about: str, media_type: str) -> dict[str, Any]:
    return {"description": about, "content": {media_type: {"schema": {"type": "string", "format": "binary"}}}}


def _in_path(name: str, about: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "description": about, "schema": {"type": "string"}}
