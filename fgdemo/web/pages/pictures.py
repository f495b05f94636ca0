"""What is served beside Gradio's own routes: signing in, pictures for experts, and the table of everything."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from fgdemo.storage.pictures.images import jpeg
from fgdemo.values.errors import BusyError, FgdemoError, ForbiddenError, UnavailableError
from fgdemo.web.http.identity import me, sign_in, sign_out, who
from fgdemo.web.http.payloads import read
from fgdemo.web.http.visitors import address_of
from fgdemo.web.pages.review import Filtered, picture_filter

if TYPE_CHECKING:
    from fgdemo.services.classify.suggestions import Suggestions
    from fgdemo.services.exchange.mirroring import Mirroring
    from fgdemo.services.review import Review
    from fgdemo.storage.people.accounts import Accounts
    from fgdemo.storage.pictures.originals import ImageStore
    from fgdemo.web.http.visitors import Spend

DISPLAY_PX = 1280
_IMAGE = re.compile("[0-9a-f]{64}")
_SAFE = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'"}


def routes(
    accounts: Accounts,
    images: ImageStore,
    review: Review,
    suggestions: Suggestions,
    mirroring: Mirroring,
    is_public: Callable[[str], bool],
    spend: Spend,
    hub_sign_in: bool = False,
    framed: bool = False,
    proxies: int = 0,
) -> list[Route]:
    """All of them lie below `fgdemo/`. `is_public`: whether visitors may see a picture; `framed`: see `sign_in`;
    `proxies`: see `address_of`."""
    entering = partial(sign_in, accounts=accounts, place_of=lambda request: address_of(request, proxies), framed=framed)
    return [
        Route("/fgdemo/sign-in", entering, methods=["POST"]),
        Route("/fgdemo/sign-out", partial(sign_out, accounts=accounts, framed=framed), methods=["POST"]),
        Route("/fgdemo/me", partial(me, accounts=accounts, hub_sign_in=hub_sign_in), methods=["GET"]),
        Route(
            "/fgdemo/pictures/{image}/{size}", _in_thread(partial(_picture, images, is_public, spend)), methods=["GET"]
        ),
        Route("/fgdemo/pictures.csv", _for_experts(accounts, partial(_table, review, accounts)), methods=["GET"]),
        Route("/fgdemo/mirror", _for_experts(accounts, partial(_mirror, mirroring, accounts)), methods=["GET"]),
        Route("/fgdemo/remarks.csv", _for_experts(accounts, partial(_remarks, suggestions, accounts)), methods=["GET"]),
    ]


def _for_experts(accounts: Accounts, answer: Callable[[Request], Response]) -> Callable[[Request], Any]:
    """Refuse visitors."""

    def checked(request: Request) -> Response:
        who(request, accounts).require("expert")
        return answer(request)

    return _in_thread(checked)


def _in_thread(answer: Callable[[Request], Response]) -> Callable[[Request], Any]:
    """Do the work in a thread, because it reads files."""

    async def route(request: Request) -> Response:
        try:
            return await anyio.to_thread.run_sync(answer, request)
        except BusyError as error:
            wait = {"Retry-After": str(error.retry_after_s)}
            return JSONResponse({"error": str(error)}, 429, headers=_SAFE | wait)
        except ForbiddenError as error:
            return JSONResponse({"error": str(error)}, 403, headers=_SAFE)
        except UnavailableError as error:
            return JSONResponse({"error": str(error)}, 503, headers=_SAFE)
        except FgdemoError as error:
            return JSONResponse({"error": str(error)}, 404, headers=_SAFE)

    return route


def _picture(images: ImageStore, is_public: Callable[[str], bool], spend: Spend, request: Request) -> Response:
    """A JPEG of our own making, without what the camera wrote into the original: for experts any picture, for visitors
    those that are published, and of all others they learn nothing, not even whether they are there."""
    image, size = request.path_params["image"], request.path_params["size"]
    person = spend(request, "look")
    is_shown = person.role != "visitor" or (_IMAGE.fullmatch(image) is not None and is_public(image))
    if not is_shown:
        person.require("expert")
    if not _IMAGE.fullmatch(image) or size not in ("thumbnail", "display"):
        return JSONResponse({"error": "There is no such picture."}, 404, headers=_SAFE)
    if size == "thumbnail":
        content = images.thumbnail(image)
    else:
        with images.decoder.decoded(images.read(image), DISPLAY_PX, name=f"{image[:12]}…") as (picture, _):
            content = jpeg(picture, DISPLAY_PX)
    # An id names its bytes for ever. What visitors see may be withdrawn.
    kept = "no-store" if person.role == "visitor" else "private, max-age=86400, immutable"
    headers = {**_SAFE, "Cache-Control": kept}
    return Response(content, media_type="image/jpeg", headers=headers)


def _table(review: Review, accounts: Accounts, request: Request) -> Response:
    """All pictures, or those of the filter that the address carries, as the Review page shows them."""
    headers = {**_SAFE, "Content-Disposition": 'attachment; filename="fgdemo-pictures.csv"'}
    lines = review.table(who(request, accounts), picture_filter(read(Filtered, dict(request.query_params))))
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)


def _mirror(mirroring: Mirroring, accounts: Accounts, request: Request) -> Response:
    """How far the backup is; null where there is none."""
    now = mirroring.now(who(request, accounts))
    return JSONResponse(
        {"mirror": None if now is None else asdict(now)}, headers={**_SAFE, "Cache-Control": "no-store"}
    )


def _remarks(suggestions: Suggestions, accounts: Accounts, request: Request) -> Response:
    """What visitors said without leaving their picture."""
    headers = {**_SAFE, "Content-Disposition": 'attachment; filename="fgdemo-remarks.csv"'}
    lines = suggestions.remarks(who(request, accounts))
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)
