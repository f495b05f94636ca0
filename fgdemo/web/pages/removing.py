"""What a maintainer takes out again on Data and Review: whole imports, and single pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import gradio as gr
from pydantic import Field

from fgdemo.values.annotation import Person
from fgdemo.values.limits import LARGEST_BATCH, LONGEST_COMMENT
from fgdemo.web.http import payloads
from fgdemo.web.http.identity import answered
from fgdemo.web.http.payloads import Asked, Text, Whole

if TYPE_CHECKING:
    from fgdemo.services.exchange.removals import Removals
    from fgdemo.storage.people.accounts import Accounts

MOST_SHOWN = 100
"""So many imports does the page list; the command line lists all."""


class OneImport(Asked):
    run: Text


class TakeBack(OneImport):
    """`labelled`: so many pictures that were labelled since may go with it, as the person was told."""

    labelled: Whole = 0


class Removal(Asked):
    images: Annotated[list[Text], Field(min_length=1, max_length=LARGEST_BATCH)]
    why: Annotated[str, Field(max_length=LONGEST_COMMENT)] = ""


def removing_page(removals: Removals, accounts: Accounts) -> gr.HTML:
    """Place the questions in the current Blocks."""

    def listed(person: Person) -> dict[str, Any]:
        found = removals.imports(person)
        return {"imports": payloads.as_json(found[:MOST_SHOWN]), "count": len(found)}

    @answered(accounts, "maintainer")
    def data_imports(person: Person, asked: Asked) -> dict[str, Any]:
        return listed(person)

    @answered(accounts, "maintainer")
    def data_import_about(person: Person, asked: OneImport) -> dict[str, Any]:
        return payloads.as_json(removals.about(person, asked.run))

    @answered(accounts, "maintainer")
    def data_take_back(person: Person, asked: TakeBack) -> dict[str, Any]:
        told = removals.take_back(person, asked.run, asked.labelled)
        return {"told": payloads.as_json(told), **listed(person)}

    @answered(accounts, "maintainer")
    def data_remove(person: Person, asked: Removal) -> dict[str, Any]:
        return {"removed": removals.remove(person, asked.images, asked.why)}

    questions = [data_imports, data_import_about, data_take_back, data_remove]
    return gr.HTML(server_functions=questions, visible=False)
