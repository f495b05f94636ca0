"""The same questions for programs: typed endpoints for `gradio_client`, HTTP and MCP, each of which checks the role."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.data_classes import FileData
from gradio.events import api

from fgdemo.logs import REQUESTS
from fgdemo.services.classify.rate_limits import Deed
from fgdemo.values.annotation import Person, Role
from fgdemo.values.errors import FgdemoError, UnavailableError
from fgdemo.web.http import payloads
from fgdemo.web.http.identity import code_of, who
from fgdemo.web.http.observed import asked
from fgdemo.web.programs.api_pictures import PictureQuestions, WordQuestions
from fgdemo.web.programs.api_work import ExportQuestions, LabellingQuestions
from fgdemo.web.programs.endpoints import PERSON, Endpoint, endpoint_of

if TYPE_CHECKING:
    from fgdemo.storage.people.accounts import Accounts
    from fgdemo.web.http.visitors import Spend
    from fgdemo.wiring.assembly import Services

log = logging.getLogger(__name__)
requests = logging.getLogger(REQUESTS)

DEEDS: dict[str, Deed] = {
    "classify": "ask",
    "explain": "ask",
    "neighbours": "ask",
    "same_place": "ask",
    "trust": "trust",
    "methods": "trust",
    "spread": "trust",
    "suggest": "suggest",
    "forget_picture": "suggest",
}
"""What counts towards the limits of whoever asks."""


def add_api(services: Services, spend: Spend) -> list[Endpoint]:
    """Add the endpoints to the current Blocks, and give what is known of them."""
    questions: list[tuple[Role, Iterable[Callable[..., Any]]]] = [
        ("visitor", PictureQuestions(services.workbench)),
        ("visitor", WordQuestions(services.workbench, services.suggestions)),
        ("expert", LabellingQuestions(services.labelling)),
        ("maintainer", ExportQuestions(services.transfers)),
    ]
    added = []
    for role, endpoints in questions:
        for endpoint in endpoints:
            known = endpoint_of(endpoint, role)
            # The services guard their own work, so requests of many people may run side by side.
            speak = _spoken(endpoint, known, services.accounts, spend)
            api(speak, api_name=known.name, concurrency_limit=None)
            added.append(replace(known, ask=speak))
    return added


def _spoken(endpoint: Callable[..., Any], known: Endpoint, accounts: Accounts, spend: Spend) -> Callable[..., Any]:
    """The endpoint as Gradio calls it: with a request in place of `person`, whose role is checked first, and then what
    was sent.

    Errors meant for people reach the caller as they are; all others go to the log only.
    """
    signature = inspect.signature(endpoint)
    wants_person = PERSON in signature.parameters

    def speak(*values: Any) -> Any:
        *given, sent = values
        with asked(sent, endpoint.__name__) as asking:
            try:
                people: list[Person] = []
                if known.role != "visitor" or wants_person:
                    person = who(sent, accounts)
                    person.require(known.role)
                    people = [person] if wants_person else []
                if known.name in DEEDS:
                    spend(sent, DEEDS[known.name])
                read = payloads.read(known.asked, dict(zip(known.parameters, given, strict=True)))
                reply = payloads.as_json(endpoint(*people, *(getattr(read, name) for name in known.parameters)))
                asking.outcome = "ok"
                return reply
            except FgdemoError as error:
                asking.outcome = code_of(error)
                if isinstance(error, UnavailableError):
                    log.warning("%s: %s", endpoint.__name__, error)
                raise gr.Error(str(error), print_exception=False) from error
            except gr.Error:  # no GPU could be lent, which ZeroGPU says in words of its own
                raise
            except Exception as error:
                log.exception("%s failed", endpoint.__name__)
                sentence = "Something went wrong on the server, and is in its log."
                raise gr.Error(sentence, print_exception=False) from error
            finally:  # the request that began this was answered before, so this has a line of its own
                fields = {"route": "question", "outcome": asking.outcome}
                requests.info("%s: %s", endpoint.__name__, asking.outcome, extra={"fields": fields})

    # Gradio reads which parameters the API has, and where the request goes, from signature and annotations.
    functools.update_wrapper(speak, endpoint)
    del speak.__wrapped__  # type: ignore[attr-defined]
    sender = inspect.Parameter("request", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=gr.Request)
    told = [parameter for name, parameter in signature.parameters.items() if name != PERSON]
    speak.__signature__ = signature.replace(parameters=[*told, sender])  # type: ignore[attr-defined]
    told_as = dict.fromkeys(known.pictures, FileData)
    kinds = {name: kind for name, kind in endpoint.__annotations__.items() if name != PERSON}
    speak.__annotations__ = {**kinds, **told_as, "request": gr.Request}
    return speak
