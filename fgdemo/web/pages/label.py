"""The Label page: its markup, and the questions it may ask the server."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import gradio as gr
from pydantic import Field

from fgdemo.services.classify.suggestions import clean_text
from fgdemo.services.labelling.session_report import SessionReport
from fgdemo.storage.history.events import LabelEvent
from fgdemo.values.annotation import AnswerKind, Order, Person, Reason
from fgdemo.values.errors import FgdemoError, StaleError
from fgdemo.values.limits import LARGEST_GOAL, MOST_HELD
from fgdemo.values.taxonomy import Taxonomy
from fgdemo.web.http import payloads
from fgdemo.web.http.identity import answered
from fgdemo.web.http.payloads import WHOLE, Asked, OptionalComment, OptionalText, Seconds, Text, Whole

if TYPE_CHECKING:
    from fgdemo.services.labelling.labelling import Item, Labelling
    from fgdemo.services.review import Review
    from fgdemo.storage.people.accounts import Accounts


class Plan(Asked):
    order: Order
    pair: Annotated[list[Text], Field(min_length=2, max_length=2)] | None = None
    goal: Annotated[int, Field(ge=1, le=LARGEST_GOAL), WHOLE] | None = None
    blind_share: Annotated[float, Field(ge=0, le=1)] = 0.0


class OfSession(Asked):
    session: Whole


class NewKind(Asked):
    name: Text
    latin: OptionalText = None
    parent: OptionalText = None


class Search(Asked):
    query: Text


class Next(OfSession):
    have: list[Text] = Field(default_factory=list, max_length=MOST_HELD)
    count: Whole = 3


class Said(OfSession):
    """An answer. `seconds`: how long somebody looked; 0 means that nobody knows."""

    image: Text
    kind: AnswerKind
    shown_version: Whole
    key: Text
    taxon: OptionalText = None
    reason: Reason | None = None
    blind: bool = False
    seconds: Seconds = 0.0
    comment: OptionalComment = None
    model_version: OptionalText = None


class Undo(OfSession):
    answer: Whole | None = None


class OfPicture(Asked):
    image: Text


class Sides(OfPicture):
    a: OptionalText = None
    b: OptionalText = None
    closer: bool = False


class OfPair(OfPicture):
    a: Text
    b: Text


class MapOfPair(OfPair):
    closer: bool = False


def label_page(labelling: Labelling, review: Review, accounts: Accounts) -> gr.HTML:
    """Place the page's questions in the current Blocks."""
    questions = [*sessions(labelling, accounts), *items(labelling, accounts)]
    questions += explanations(labelling, review, accounts)
    return gr.HTML(server_functions=questions, visible=False)


def sessions(labelling: Labelling, accounts: Accounts) -> list[Callable[..., dict[str, Any]]]:
    """Beginning, following and ending a session."""

    @answered(accounts, "expert")
    def label_open(person: Person, asked: Asked) -> dict[str, Any]:
        starting = labelling.starting(person)
        if starting is not None:
            return {"starting": {"done": starting[0], "of": starting[1]}}
        current = labelling.current(person)
        return {
            "person": payloads.as_json(person),
            "works": payloads.as_json(labelling.works(person)),
            "pairs": payloads.as_json(labelling.pairs(person)),
            "session": report(labelling.report(person, current.id)) if current else None,
        }

    @answered(accounts, "expert")
    def label_start(person: Person, asked: Plan) -> dict[str, Any]:
        pair = (asked.pair[0], asked.pair[1]) if asked.pair else None
        started = labelling.start(person, asked.order, pair, asked.goal, asked.blind_share)
        return {"session": report(labelling.report(person, started.id))}

    @answered(accounts, "expert")
    def label_report(person: Person, asked: OfSession) -> dict[str, Any]:
        return {"session": report(labelling.report(person, asked.session))}

    @answered(accounts, "expert")
    def label_close(person: Person, asked: OfSession) -> dict[str, Any]:
        labelling.close(person, asked.session)
        return {"session": report(labelling.report(person, asked.session))}

    @answered(accounts, "expert")
    def label_new_taxon(person: Person, asked: NewKind) -> dict[str, Any]:
        taxon = labelling.new_taxon(person, asked.name, asked.latin, asked.parent)
        return {"taxon": {"taxon": taxon.id, "name": taxon.name, "latin": taxon.latin, "is_leaf": True}}

    @answered(accounts, "expert")
    def label_search(person: Person, asked: Search) -> dict[str, Any]:
        return {"taxa": payloads.as_json(labelling.search(person, asked.query))}

    return [label_open, label_start, label_report, label_close, label_new_taxon, label_search]


def items(labelling: Labelling, accounts: Accounts) -> list[Callable[..., dict[str, Any]]]:
    """The pictures of a session: asking for them and answering."""

    @answered(accounts, "expert")
    def label_next(person: Person, asked: Next) -> dict[str, Any]:
        found = labelling.next_items(person, asked.session, asked.have, asked.count)
        waiting = not found and labelling.is_waiting(person, asked.session)
        return {"items": [item(one) for one in found], "waiting": waiting}

    @answered(accounts, "expert")
    def label_answer(person: Person, asked: Said) -> dict[str, Any]:
        said = said_in(person, asked)
        try:
            kept = labelling.answer(person, asked.session, said)
            return {"saved": kept.id, "done": labelling.done(person, asked.session)}
        except StaleError as error:
            again = labelling.item(person, said.image)
            return {"stale": item(again), "error": str(error), "code": "stale"}

    @answered(accounts, "expert")
    def label_undo(person: Person, asked: Undo) -> dict[str, Any]:
        undone = labelling.undo(person, asked.session, asked.answer)
        if undone is None:
            return {"nothing": True}
        return {
            "item": item(undone[0]),
            "undone": event(undone[1], labelling.taxonomy()),
            "done": labelling.done(person, asked.session),
        }

    return [label_next, label_answer, label_undo]


def explanations(labelling: Labelling, review: Review, accounts: Accounts) -> list[Callable[..., dict[str, Any]]]:
    """Why the model says what it says, how both kinds look elsewhere, and what people have said."""

    @answered(accounts, "expert")
    def label_explain(person: Person, asked: Sides) -> dict[str, Any]:
        if labelling.explainer is None:
            raise FgdemoError("Explanations are not to be had here.")
        return payloads.as_json(labelling.explainer.explain(asked.image, asked.a, asked.b, asked.closer))

    @answered(accounts, "expert")
    def label_spread(person: Person, asked: MapOfPair) -> dict[str, Any]:
        explainer = labelling.explainer
        found = None if explainer is None else explainer.spread(asked.image, asked.a, asked.b, asked.closer)
        return {"contrast": payloads.as_json(found)}

    @answered(accounts, "expert")
    def label_references(person: Person, asked: OfPair) -> dict[str, Any]:
        if labelling.explainer is None:
            return {"a": [], "b": []}
        found = labelling.explainer.references(asked.image, asked.a, asked.b)
        part = found.part
        return {
            "part": {"id": part.id, "name": part.name or f"part {part.id + 1}", "colour": part.colour}
            if part
            else None,
            "grid": list(found.grid),
            "a": [{**payloads.as_json(one), **sources(one.image)} for one in found.a],
            "b": [{**payloads.as_json(one), **sources(one.image)} for one in found.b],
        }

    @answered(accounts, "expert")
    def label_cards(person: Person, asked: OfPair) -> dict[str, Any]:
        explainer = labelling.explainer
        found = None if explainer is None else explainer.cards(asked.image, asked.a, asked.b)
        return {"cards": payloads.as_json(found)}

    @answered(accounts, "expert")
    def label_history(person: Person, asked: OfPicture) -> dict[str, Any]:
        events = review.history(person, asked.image)
        return {"events": [event(said, labelling.taxonomy()) for said in events]}

    return [label_explain, label_spread, label_references, label_cards, label_history]


def said_in(person: Person, asked: Said) -> LabelEvent:
    """The answer that a page or a program sends."""
    return LabelEvent(
        image=asked.image,
        kind=asked.kind,
        annotator=person.name,
        taxon=asked.taxon,
        shown_version=asked.shown_version,
        model_version=asked.model_version,
        seconds_spent=asked.seconds or None,
        comment=clean_text(asked.comment or "") or None,
        answer_key=asked.key,
        blind=asked.blind,
        session=asked.session,
        reason=asked.reason,
    )


def sources(image: str) -> dict[str, str]:
    """Where the page finds a picture, relative to it."""
    return {"src": f"fgdemo/pictures/{image}/display", "thumb": f"fgdemo/pictures/{image}/thumbnail"}


def item(one: Item) -> dict[str, Any]:
    return {**payloads.as_json(one), **sources(one.image)}


def report(found: SessionReport) -> dict[str, Any]:
    session = payloads.as_json(found.session)
    return {**session, **{key: value for key, value in payloads.as_json(found).items() if key != "session"}}


def event(said: LabelEvent, taxonomy: Taxonomy) -> dict[str, Any]:
    taxon = taxonomy.by_id.get(said.taxon or "")
    return {
        "id": said.id,
        "kind": said.kind,
        "name": taxon.name if taxon else said.new_name,
        "annotator": said.annotator,
        "when": said.created_at,
        "comment": said.comment,
        "reason": said.reason,
        "undoes": said.undoes,
        "point": payloads.as_json(said.point),
        "publication": payloads.as_json(said.publication),
    }
