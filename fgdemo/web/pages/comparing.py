"""The same place side by side: the questions that the dialog of Classify, Label and Review may ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gradio as gr

from fgdemo.values.annotation import Person
from fgdemo.web.http import payloads
from fgdemo.web.http.identity import answered as answered_to
from fgdemo.web.pages.classify import TrustOf, answered
from fgdemo.web.pages.label import OfPair, sources

if TYPE_CHECKING:
    from fgdemo.services.classify.comparing import Comparison
    from fgdemo.services.classify.workbench import Workbench
    from fgdemo.storage.people.accounts import Accounts
    from fgdemo.web.http.visitors import Spend


def comparing_page(workbench: Workbench, accounts: Accounts, spend: Spend) -> gr.HTML:
    """Place the questions in the current Blocks."""
    return gr.HTML(server_functions=questions(workbench, accounts, spend), visible=False)


def questions(workbench: Workbench, accounts: Accounts, spend: Spend) -> list[Callable[..., dict[str, Any]]]:
    """A picture that somebody sent, and one of the workspace, beside pictures of A and of B."""

    @answered(spend, "ask")
    def compare(person: Person, asked: TrustOf) -> dict[str, Any]:
        only_public = person.role == "visitor"
        return told(workbench.comparing.picture(**asked.picture(), a=asked.a, b=asked.b, only_public=only_public))

    @answered_to(accounts, "expert")
    def compare_known(person: Person, asked: OfPair) -> dict[str, Any]:
        return told(workbench.comparing.known_picture(asked.image, asked.a, asked.b))

    return [compare, compare_known]


def told(found: Comparison) -> dict[str, Any]:
    """With where the page finds each picture."""
    sides = {"pictures_a": found.pictures_a, "pictures_b": found.pictures_b}
    shown = {
        side: [{**payloads.as_json(one), **sources(one.image)} for one in pictures] for side, pictures in sides.items()
    }
    return {**payloads.as_json(found), **shown}
