"""The Classify tab: a page of its own making inside one `gr.HTML`, and the questions it may ask the server."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.context import LocalContext

from fgdemo.services.classify.rate_limits import Deed
from fgdemo.settings import Settings
from fgdemo.values.annotation import VISITOR, Person
from fgdemo.values.classification.closeness import Closeness
from fgdemo.values.errors import BusyError, FgdemoError
from fgdemo.values.methods import methods_of
from fgdemo.web.http import payloads
from fgdemo.web.http.identity import as_server_function, code_of
from fgdemo.web.http.payloads import Asked, Box, FileName, OptionalComment, OptionalText, Taxa, Text, Upload

if TYPE_CHECKING:
    from fgdemo.services.classify.suggestions import Suggestions
    from fgdemo.services.classify.workbench import Workbench
    from fgdemo.web.http.visitors import Spend

log = logging.getLogger(__name__)


class AskedPicture(Asked):
    """Which picture, what to call it, and which part of it: the same in every question about one."""

    path: Upload
    name: FileName = "picture"
    box: Box = None

    def picture(self) -> dict[str, Any]:
        return {"data": self.path, "name": self.name, "box": self.box}


class Classify(AskedPicture):
    asked: OptionalText = None
    rival: OptionalText = None
    closer: Closeness = "never"


class TrustOf(AskedPicture):
    a: Text
    b: Text


class SpreadOf(TrustOf):
    closer: Closeness = "never"


class MethodsOf(TrustOf):
    methods: Taxa

    def pair(self) -> dict[str, Any]:
        return {**self.picture(), "a": self.a, "b": self.b}


class Neighbours(AskedPicture):
    taxa: Taxa


class Search(Asked):
    query: Text


class Suggestion(AskedPicture):
    model_version: Text
    taxon: OptionalText = None
    new_name: OptionalText = None
    comment: OptionalComment = None
    keep_picture: bool = False
    answered: OptionalText = None
    key: OptionalText = None


class Receipt(Asked):
    receipt: Text


def classify_tab(workbench: Workbench, suggestions: Suggestions, spend: Spend) -> gr.HTML:
    """Place the tab's questions in the current Blocks, where nothing of them is shown: our own page asks them."""
    return gr.HTML(server_functions=[*questions(workbench, spend), *telling(suggestions, spend)], visible=False)


def options(settings: Settings) -> dict[str, Any]:
    """What the script of the tab is given."""
    return {"maxMb": settings.max_upload_mb, "keepDays": settings.keep_suggestions_days}


def questions(workbench: Workbench, spend: Spend) -> list[Callable[..., dict[str, Any]]]:
    """What the page may ask. Gradio runs each in a thread, with whatever JSON the browser sent."""

    @answered()
    def about(asked: Asked) -> dict[str, Any]:
        return {**payloads.as_json(workbench.about()), "examples": payloads.as_json(workbench.examples())}

    @answered(spend, "ask")
    def classify(asked: Classify) -> dict[str, Any]:
        found = workbench.classify(**asked.picture(), asked=asked.asked, rival=asked.rival, closer=asked.closer)
        return payloads.as_json(found)

    @answered(spend, "ask")
    def spread(asked: SpreadOf) -> dict[str, Any]:
        return payloads.as_json(workbench.maps.spread(**asked.picture(), a=asked.a, b=asked.b, closer=asked.closer))

    @answered(spend, "trust")
    def trust(asked: TrustOf) -> dict[str, Any]:
        return payloads.as_json(workbench.maps.trust(**asked.picture(), a=asked.a, b=asked.b))

    @answered(spend, "ask")
    def methods(asked: MethodsOf) -> dict[str, Any]:
        return payloads.as_json(workbench.maps.methods(**asked.pair(), methods=methods_of(asked.methods)))

    @answered(spend, "trust")
    def measure_methods(asked: MethodsOf) -> dict[str, Any]:
        return payloads.as_json(workbench.maps.methods(**asked.pair(), methods=methods_of(asked.methods), measure=True))

    @answered(spend, "ask")
    def neighbours(person: Person, asked: Neighbours) -> dict[str, Any]:
        shown = {"taxon_ids": tuple(asked.taxa), "only_public": person.role == "visitor"}
        return payloads.as_json(workbench.neighbours(**asked.picture(), **shown))

    @answered(spend, "ask")
    def cards(person: Person, asked: SpreadOf) -> dict[str, Any]:
        pair = {"a": asked.a, "b": asked.b, "closer": asked.closer, "only_public": person.role == "visitor"}
        return {"cards": payloads.as_json(workbench.cards(**asked.picture(), **pair))}

    @answered()
    def search_taxa(asked: Search) -> dict[str, Any]:
        return {"taxa": payloads.as_json(workbench.search_taxa(asked.query))}

    return [about, classify, spread, trust, methods, measure_methods, neighbours, cards, search_taxa]


def telling(suggestions: Suggestions, spend: Spend) -> list[Callable[..., dict[str, Any]]]:
    """What a visitor may tell the experts, and take back."""

    @answered(spend, "suggest")
    def suggest(asked: Suggestion) -> dict[str, Any]:
        saved = suggestions.add(
            asked.path,
            name=asked.name,
            taxon=asked.taxon,
            new_name=asked.new_name,
            comment=asked.comment,
            model_version=asked.model_version,
            keep_picture=asked.keep_picture,
            answered=asked.answered,
            box=asked.box,
            key=asked.key,
        )
        return {"saved": saved.id, "receipt": saved.receipt, "kept_until": saved.kept_until}

    @answered(spend, "suggest")
    def my_picture(asked: Receipt) -> dict[str, Any]:
        return payloads.as_json(suggestions.look(asked.receipt))

    @answered(spend, "suggest")
    def forget_picture(asked: Receipt) -> dict[str, Any]:
        return payloads.as_json(suggestions.forget(asked.receipt))

    return [suggest, my_picture, forget_picture]


def answered(
    spend: Spend | None = None, deed: Deed = "ask"
) -> Callable[[Callable[..., dict[str, Any]]], Callable[..., dict[str, Any]]]:
    """Make a server function of a question, which takes what the model of its parameter `asked` reads, and before it
    who asks where it has a parameter `person`.

    What goes wrong becomes one sentence for the page; what nobody foresaw goes to the log, never to the page.

    Args:
        spend: counts the question as a `deed` of whoever asks, whatever they sent.
    """

    def decorate(question: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
        model = payloads.asked_by(question)
        wants_person = "person" in inspect.signature(question).parameters

        def answer(payload: object, request: gr.Request) -> dict[str, Any]:
            LocalContext.request.set(request)  # ZeroGPU reads from it on whose account the GPU is lent
            try:
                person = VISITOR if spend is None else spend(request, deed)
                people = [person] if wants_person else []
                return question(*people, payloads.read(model, payload))
            except payloads.PictureGoneError as error:
                return {"error": str(error), "gone": True}
            except BusyError as error:
                return {"error": str(error), "code": "busy", "retry_after_s": error.retry_after_s}
            except FgdemoError as error:
                return {"error": str(error), "code": code_of(error)}
            except gr.Error as error:  # no GPU could be lent, which ZeroGPU says in words of its own
                return {"error": str(error.message)}
            except Exception:
                log.exception("%s failed", question.__name__)
                return {"error": "Something went wrong on the server, and is in its log.", "code": "failed"}

        return as_server_function(answer, question)

    return decorate
