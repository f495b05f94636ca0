"""For machines: `/healthz` for what restarts the server, `/metrics` for what watches it, and what programs may ask."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import anyio
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fgdemo import __version__
from fgdemo.services.operating.operations import Figures, Health
from fgdemo.values.errors import FgdemoError, ForbiddenError
from fgdemo.web.http.identity import code_of, sent_token, who
from fgdemo.web.http.replies import Backup, HealthReply
from fgdemo.web.programs.agents import tool_of
from fgdemo.web.programs.openapi import openapi

if TYPE_CHECKING:
    from fgdemo.storage.people.accounts import Accounts
    from fgdemo.web.http.metrics import Metrics
    from fgdemo.web.programs.endpoints import Endpoint
    from fgdemo.wiring.assembly import Services

LOADING = Health(False, "The model is loading.")
SILENT = Health(False, "The database does not answer.")
PATIENCE_S = 5.0
_FRESH = {"Cache-Control": "no-store"}


def health_routes(services: Services, metrics: Metrics) -> list[Route]:
    """For machines, which have no cookie. All of them answer while the model is still loading."""
    return [
        Route("/healthz", partial(_health, services), methods=["GET"]),
        Route("/metrics", partial(_metrics, services, metrics), methods=["GET"]),
        Route("/fgdemo/openapi.json", _openapi, methods=["GET"]),
        Route("/gradio_api/mcp/schema", _tools, methods=["GET"]),  # before Gradio's, which describes other tools
    ]


def figures_of(services: Services) -> Figures | None:
    """None while there are no services yet. Raises StorageError."""
    return services.operations.figures() if services.is_loaded() else None


async def _health(services: Services, request: Request) -> Response:
    """200 when questions are answered, else 503 with the reason. For everybody: nothing in it is secret."""
    health = LOADING
    if services.is_loaded():
        health = SILENT
        with anyio.move_on_after(PATIENCE_S):
            health = await anyio.to_thread.run_sync(services.operations.health, abandon_on_cancel=True)
    reply = HealthReply(ready=health.ready, version=__version__, model_version=health.model_version)
    if not health.ready:
        reply.reason = health.reason
    if mirror := health.mirror:
        reply.backup = Backup(failing=bool(mirror.fault), waiting=mirror.waiting, elapsed_s=mirror.elapsed_s)
    return JSONResponse(reply.model_dump(exclude_unset=True), 200 if health.ready else 503, headers=_FRESH)


async def _metrics(services: Services, metrics: Metrics, request: Request) -> Response:
    """For maintainers, and for any token, even one that may do nothing else: how much is worked is nobody's business,
    but what scrapes it every few seconds shall not hold a maintainer's rights for that.
    """
    try:
        await anyio.to_thread.run_sync(_require_reader, services, request)
        text = await anyio.to_thread.run_sync(metrics.text, _queued(request))
    except FgdemoError as error:
        status = {"forbidden": 403, "failed": 503}.get(code_of(error), 500)
        return JSONResponse({"error": str(error)}, status, headers=_FRESH)
    return Response(text, media_type=CONTENT_TYPE_LATEST, headers=_FRESH)


def _require_reader(services: Services, request: Request) -> None:
    if not services.is_loaded():
        raise ForbiddenError("The model is loading, and who asks is not known before that.")
    accounts: Accounts = services.accounts
    person = who(request, accounts)
    if sent_token(request) is None:
        person.require("maintainer")


async def _openapi(request: Request) -> Response:
    """What programs may ask; for everybody, as the page itself shows it."""
    return JSONResponse(openapi(request.app.get_blocks().endpoints))


async def _tools(request: Request) -> Response:
    """The tools of MCP without MCP, as Hugging Face's own server reads them; `?tools=a,b` leaves the others out."""
    wanted = request.query_params.get("tools")
    listed = [
        {**tool_of(endpoint).model_dump(exclude_none=True), "meta": _meta(endpoint)}
        for endpoint in request.app.get_blocks().endpoints
        if wanted is None or endpoint.name in wanted.split(",")
    ]
    return JSONResponse(listed)


def _meta(endpoint: Endpoint) -> dict[str, object]:
    return {"file_data_present": bool(endpoint.pictures), "mcp_type": "tool", "endpoint_name": endpoint.name}


def _queued(request: Request) -> int:
    blocks = getattr(request.app, "blocks", None)
    return len(blocks._queue) if blocks is not None else 0
