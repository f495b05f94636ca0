"""The Classify tab: a page of its own making inside one `gr.HTML`, and the questions it may ask the server."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.context import LocalContext

from fgdemo.settings import Settings
from fgdemo.values.errors import BusyError, FgdemoError
from fgdemo.values.limits import LONGEST_COMMENT
from fgdemo.web.http import payloads
from fgdemo.web.http.identity import code_of
from fgdemo.web.pages.mounting import mounted

if TYPE_CHECKING:
    from fgdemo.services.classify.suggestions import Suggestions
    from fgdemo.services.classify.workbench import Workbench
    from fgdemo.web.http.visitors import Spend

log = logging.getLogger(__name__)


def classify_tab(
    workbench: Workbench, suggestions: Suggestions, settings: Settings, spend: Spend, static_url: str
) -> gr.HTML:
    """Place the tab in the current Blocks. `static_url` is where `static/` is served, relative to the page."""
    options = {"maxMb": settings.max_upload_mb, "keepDays": settings.keep_suggestions_days}
    return mounted("classify", static_url, [*questions(workbench, spend), *telling(suggestions, spend)], options)


def questions(workbench: Workbench, spend: Spend) -> list[Callable[..., dict[str, Any]]]:
    """What the page may ask. Gradio runs each in a thread, with whatever JSON the browser sent."""

    @answered
    def about(asked: Mapping[str, Any], request: Any) -> dict[str, Any]:
        return payloads.as_json(workbench.about())

    @answered
    def classify(asked: Mapping[str, Any], request: Any) -> dict[str, Any]:
        spend(request, "ask")
        result = workbench.classify(
            **_picture(asked),
            asked=payloads.optional_text(asked.get("asked"), "asked"),
            rival=payloads.optional_text(asked.get("rival"), "rival"),
        )
        return payloads.as_json(result)

    @answered
    def trust(asked: Mapping[str, Any], request: Any) -> dict[str, Any]:
        spend(request, "trust")
        measured = workbench.trust(
            **_picture(asked),
            a=payloads.text(asked.get("a"), "a"),
            b=payloads.text(asked.get("b"), "b"),
        )
        return payloads.as_json(measured)

    @answered
    def neighbours(asked: Mapping[str, Any], request: Any) -> dict[str, Any]:
        spend(request, "ask")
        found = workbench.neighbours(
            **_picture(asked),
            taxon_ids=payloads.texts(asked.get("taxa"), "taxa"),
        )
        return payloads.as_json(found)

    @answered
    def search_taxa(asked: Mapping[str, Any], request: Any) -> dict[str, Any]:
        query = payloads.text(asked.get("query"), "query")
        return {"taxa": payloads.as_json(workbench.search_taxa(query))}

    return [about, classify, trust, neighbours, search_taxa]


def telling(suggestions: Suggestions, spend: Spend) -> list[Callable[..., dict[str, Any]]]:
    """What a visitor may tell the experts, and take back."""

    @answered
    def suggest(asked: Mapping[str, Any], request: Any) -> dict[str, Any]:
        spend(request, "suggest")
        saved = suggestions.add(
            payloads.uploaded_file(asked.get("path")).read_bytes(),
            name=_name(asked),
            taxon=payloads.optional_text(asked.get("taxon"), "taxon"),
            new_name=payloads.optional_text(asked.get("new_name"), "name"),
            comment=payloads.optional_text(asked.get("comment"), "comment", LONGEST_COMMENT),
            model_version=payloads.text(asked.get("model_version"), "model_version"),
            keep_picture=asked.get("keep_picture") is True,
            answered=payloads.optional_text(asked.get("answered"), "answered"),
            box=payloads.crop_box(asked.get("box")),
            key=payloads.optional_text(asked.get("key"), "key"),
        )
        return {"saved": saved.id, "receipt": saved.receipt, "kept_until": saved.kept_until}

    @answered
    def my_picture(asked: Mapping[str, Any], request: Any) -> dict[str, Any]:
        spend(request, "suggest")
        return payloads.as_json(suggestions.look(payloads.text(asked.get("receipt"), "receipt")))

    @answered
    def forget_picture(asked: Mapping[str, Any], request: Any) -> dict[str, Any]:
        spend(request, "suggest")
        return payloads.as_json(suggestions.forget(payloads.text(asked.get("receipt"), "receipt")))

    return [suggest, my_picture, forget_picture]


def _picture(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Which picture, what to call it, and which part of it: the same in every question about one."""
    return {
        "data": payloads.uploaded_file(asked.get("path")),
        "name": _name(asked),
        "box": payloads.crop_box(asked.get("box")),
    }


def _name(asked: Mapping[str, Any]) -> str:
    """The file's own name, for messages: cut rather than refused, because people do not choose it with care."""
    name = asked.get("name")
    return name[: payloads.LONGEST_NAME] if isinstance(name, str) else "picture"


def answered(question: Callable[[Mapping[str, Any], Any], dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Turn what goes wrong into one sentence for the page; what nobody foresaw goes to the log, never to the page."""

    def answer(payload: object, request: gr.Request) -> dict[str, Any]:
        LocalContext.request.set(request)  # ZeroGPU reads from it on whose account the GPU is lent
        try:
            return question(payloads.fields(payload), request)
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

    # Gradio reads the signature to see where the request goes, so it must not be that of `question`.
    functools.update_wrapper(answer, question)
    del answer.__wrapped__  # type: ignore[attr-defined]
    answer.__annotations__ = {"payload": object, "request": gr.Request, "return": dict}
    return answer
