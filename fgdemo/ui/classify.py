"""The Classify tab: a page of its own making inside one `gr.HTML`, and the questions it may ask the server."""

from __future__ import annotations

import functools
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.context import LocalContext

from fgdemo.errors import FgdemoError
from fgdemo.settings import Settings
from fgdemo.ui import payloads

if TYPE_CHECKING:
    from fgdemo.services.suggestions import Suggestions
    from fgdemo.services.workbench import Workbench

log = logging.getLogger(__name__)

MARKUP = Path(__file__).parent / "static" / "classify.html"
SCRIPT = (
    "import(new URL({module}, document.baseURI))"
    ".then((tab) => tab.mount(element, {{ server, upload, maxMb: {max_mb} }}))"
)


def classify_tab(workbench: Workbench, suggestions: Suggestions, settings: Settings, static_url: str) -> gr.HTML:
    """Place the tab in the current Blocks. `static_url` is where `static/` is served, relative to the page."""
    module = json.dumps(f"{static_url}/classify.js")
    return gr.HTML(
        html_template=MARKUP.read_text(encoding="utf-8"),
        js_on_load=SCRIPT.format(module=module, max_mb=settings.max_upload_mb),
        apply_default_css=False,
        elem_id="fg-page-classify",
        server_functions=questions(workbench, suggestions),
    )


def questions(workbench: Workbench, suggestions: Suggestions) -> list[Callable[..., dict[str, Any]]]:
    """What the page may ask. Gradio runs each in a thread, with one argument: whatever JSON the browser sent."""

    @answered
    def about(payload: object) -> dict[str, Any]:
        payloads.fields(payload)
        return payloads.as_json(workbench.about())

    @answered
    def classify(payload: object) -> dict[str, Any]:
        asked = payloads.fields(payload)
        result = workbench.classify(
            **_picture(asked),
            asked=payloads.optional_text(asked.get("asked"), "asked"),
            rival=payloads.optional_text(asked.get("rival"), "rival"),
        )
        return payloads.as_json(result)

    @answered
    def trust(payload: object) -> dict[str, Any]:
        asked = payloads.fields(payload)
        measured = workbench.trust(
            **_picture(asked),
            a=payloads.text(asked.get("a"), "a"),
            b=payloads.text(asked.get("b"), "b"),
        )
        return payloads.as_json(measured)

    @answered
    def neighbours(payload: object) -> dict[str, Any]:
        asked = payloads.fields(payload)
        found = workbench.neighbours(
            **_picture(asked),
            taxon_ids=payloads.texts(asked.get("taxa"), "taxa"),
        )
        return payloads.as_json(found)

    @answered
    def search_taxa(payload: object) -> dict[str, Any]:
        query = payloads.text(payloads.fields(payload).get("query"), "query")
        return {"taxa": payloads.as_json(workbench.search_taxa(query))}

    @answered
    def suggest(payload: object) -> dict[str, Any]:
        asked = payloads.fields(payload)
        saved = suggestions.add(
            payloads.uploaded_file(asked.get("path")).read_bytes(),
            name=_name(asked),
            taxon=payloads.optional_text(asked.get("taxon"), "taxon"),
            new_name=payloads.optional_text(asked.get("new_name"), "name"),
            comment=payloads.optional_text(asked.get("comment"), "comment", payloads.LONGEST_COMMENT),
            model_version=payloads.text(asked.get("model_version"), "model_version"),
            box=payloads.crop_box(asked.get("box")),
        )
        return {"saved": saved}

    return [about, classify, trust, neighbours, search_taxa, suggest]


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


def answered(question: Callable[[object], dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Turn what goes wrong into one sentence for the page; what nobody foresaw goes to the log, never to the page."""

    def answer(payload: object, request: gr.Request) -> dict[str, Any]:
        LocalContext.request.set(request)  # ZeroGPU reads from it on whose account the GPU is lent
        try:
            return question(payload)
        except payloads.PictureGoneError as error:
            return {"error": str(error), "gone": True}
        except FgdemoError as error:
            return {"error": str(error)}
        except gr.Error as error:  # no GPU could be lent, which ZeroGPU says in words of its own
            return {"error": str(error.message)}
        except Exception:
            log.exception("%s failed", question.__name__)
            return {"error": "Something went wrong on the server, and is in its log. Please try again."}

    # Gradio reads the signature to see where the request goes, so it must not be that of `question`.
    functools.update_wrapper(answer, question)
    del answer.__wrapped__  # type: ignore[attr-defined]
    answer.__annotations__ = {"payload": object, "request": gr.Request, "return": dict}
    return answer
