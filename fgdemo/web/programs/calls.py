"""Questions over plain HTTP, looked at before Gradio sees them: it says of most mistakes nothing that helps."""

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

from fgdemo.web.http.payloads import BadRequestError
from fgdemo.web.programs.endpoints import Endpoint

CALL = re.compile(r"/gradio_api/call/(?P<v2>v2/)?(?P<name>[a-z_]{1,64})(/(?P<event>[A-Za-z0-9_-]{1,64}))?/?")
LONGEST_SHOWN = 60


def what_is_missing(path: str, endpoints: Iterable[Endpoint], queue: Any) -> str | None:
    """Why there is nothing to be asked at this path, in one sentence; None where there is something.

    Args:
        queue: Gradio's.
    """
    call = CALL.fullmatch(path)
    if call is None:
        return None
    names = [endpoint.name for endpoint in endpoints]
    if call["name"] not in names:
        return f"There is no question “{call['name']}”: there are {', '.join(names)}."
    if call["event"] and not _is_known(call["event"], queue):
        return "There is no question with this event_id: it was never asked, or its answer was collected before."
    return None


def check_call(path: str, sent: Mapping[str, Any], endpoints: Iterable[Endpoint]) -> None:
    """Raises BadRequestError where what begins a question names no argument of it, or leaves one out."""
    call = CALL.fullmatch(path)
    endpoint = next((one for one in endpoints if call and one.name == call["name"]), None)
    if call is None or endpoint is None:
        return
    if not call["v2"]:
        if not isinstance(sent.get("data"), list):
            raise BadRequestError("“data” must be a list: the arguments in the order of the API's description.")
        if len(sent["data"]) > len(endpoint.parameters):
            raise BadRequestError(f"{endpoint.name} takes at most {len(endpoint.parameters)} arguments.")
        given = set(endpoint.parameters[: len(sent["data"])])
    else:
        given = set(sent) - {"session_hash"}
    check_names(endpoint, given)


def check_names(endpoint: Endpoint, given: Set[str], more: Sequence[str] = ()) -> None:
    """Raises BadRequestError where what is given names no argument (nor one of `more`), or leaves one out."""
    known = (*endpoint.parameters, *more)
    strange = sorted(given - set(known))
    if strange:
        there = ", ".join(known) or "none"
        raise BadRequestError(f"“{strange[0][:LONGEST_SHOWN]}” is no argument of {endpoint.name}: there are {there}.")
    left_out = [name for name in endpoint.required if name not in given]
    if left_out:
        raise BadRequestError(f"{endpoint.name} needs “{left_out[0]}”.")


def _is_known(event: str, queue: Any) -> bool:
    """Whether it is being answered, or its answer waits to be collected."""
    waiting = queue.pending_event_ids_session.values()
    return event in queue.event_ids_to_events or any(event in events for events in waiting)
