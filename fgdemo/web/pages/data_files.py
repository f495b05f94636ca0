"""Routes for files too large for a question: a maintainer's uploads, and what an export wrote."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from fgdemo.values.annotation import Person
from fgdemo.values.errors import FgdemoError, ForbiddenError
from fgdemo.web.http.identity import who

if TYPE_CHECKING:
    from fgdemo.services.exchange.transfers import Transfers
    from fgdemo.storage.exchange.incoming import Incoming
    from fgdemo.storage.people.accounts import Accounts

CONTENT_TYPE = "application/octet-stream"
"""No form of a foreign page can send it, so none can upload in the name of somebody who is signed in."""
CHECK_ROOM_EVERY_BYTES = 64_000_000


def file_routes(transfers: Transfers, incoming: Incoming, accounts: Accounts) -> list[Route]:
    """All of them lie below `fgdemo/data/` and are for maintainers."""
    return [
        Route("/fgdemo/data/incoming/{batch}", partial(_receive, incoming, accounts), methods=["PUT"]),
        Route("/fgdemo/data/{which}", partial(_send, transfers, accounts), methods=["GET"]),
    ]


async def _receive(incoming: Incoming, accounts: Accounts, request: Request) -> Response:
    """PUT one file of a batch; its name is the query parameter `path`."""
    try:
        await _maintainer(request, accounts)
        if not request.headers.get("content-type", "").startswith(CONTENT_TYPE):
            return JSONResponse({"error": f"Send {CONTENT_TYPE}."}, 415)
        length = request.headers.get("content-length", "0")
        await anyio.to_thread.run_sync(incoming.require_room, int(length) if length.isdecimal() else 0)
        received = 0
        with incoming.receive(request.path_params["batch"], request.query_params.get("path", "")) as file:
            async for chunk in request.stream():
                await anyio.to_thread.run_sync(file.write, chunk)
                received += len(chunk)
                if received % CHECK_ROOM_EVERY_BYTES < len(chunk):  # a length may be wrong, or not said
                    await anyio.to_thread.run_sync(incoming.require_room, 0)
        return JSONResponse({"received_bytes": received})
    except FgdemoError as error:
        return JSONResponse({"error": str(error)}, 403 if isinstance(error, ForbiddenError) else 400)
    except ClientDisconnect:  # nobody is left to read an answer, and the half of a file is gone already
        return Response(status_code=400)


async def _send(transfers: Transfers, accounts: Accounts, request: Request) -> Response:
    """GET `export` or `left-out.csv`: the file of the last transfer."""
    try:
        person = await _maintainer(request, accounts)
    except ForbiddenError as error:
        return JSONResponse({"error": str(error)}, 403)
    now = transfers.now(person)
    files: dict[str, Path | None] = {}
    if now is not None:
        files = {"export": now.file, "left-out.csv": now.left_out_file}
    path = files.get(request.path_params["which"])
    if path is None or not path.is_file():
        return JSONResponse({"error": "There is no such file: export once more."}, 404)
    name = path.name if request.path_params["which"] == "export" else "left-out.csv"
    return FileResponse(path, filename=name, headers={"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"})


async def _maintainer(request: Request, accounts: Accounts) -> Person:
    person = await anyio.to_thread.run_sync(who, request, accounts)
    person.require("maintainer")
    return person
