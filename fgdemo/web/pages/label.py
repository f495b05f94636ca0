"""The Label page: its markup, and the questions it may ask the server."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gradio as gr

from fgdemo.services.classify.suggestions import clean_text
from fgdemo.services.labelling.session_report import SessionReport
from fgdemo.storage.history.events import LabelEvent
from fgdemo.values.annotation import Person
from fgdemo.values.errors import FgdemoError, StaleError
from fgdemo.values.limits import LONGEST_COMMENT
from fgdemo.values.taxonomy import Taxonomy
from fgdemo.web.http import payloads
from fgdemo.web.http.identity import answered
from fgdemo.web.pages.mounting import mounted

if TYPE_CHECKING:
    from fgdemo.services.labelling.labelling import Item, Labelling
    from fgdemo.services.review import Review
    from fgdemo.storage.people.accounts import Accounts


def label_page(labelling: Labelling, review: Review, accounts: Accounts, static_url: str) -> gr.HTML:
    """Place the page in the current Blocks."""
    questions = [
        *sessions(labelling, accounts),
        *items(labelling, accounts),
        *explanations(labelling, review, accounts),
    ]
    return mounted("label", static_url, questions)


def sessions(labelling: Labelling, accounts: Accounts) -> list[Callable[..., dict[str, Any]]]:
    """Beginning, following and ending a session."""

    @answered(accounts, "expert")
    def label_open(person: Person, asked: dict[str, Any]) -> dict[str, Any]:
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
    def label_start(person: Person, asked: dict[str, Any]) -> dict[str, Any]:
        pair = asked.get("pair")
        a_b = payloads.texts(pair, "pair", 2) if pair is not None else None
        started = labelling.start(
            person,
            payloads.text(asked.get("order"), "order"),  # type: ignore[arg-type]
            (a_b[0], a_b[1]) if a_b and len(a_b) == 2 else None,
            payloads.optional_number(asked.get("goal"), "goal"),
            float(payloads.number(asked.get("blind_share", 0), "blind_share")),
        )
        return {"session": report(labelling.report(person, started.id))}

    @answered(accounts, "expert")
    def label_report(person: Person, asked: dict[str, Any]) -> dict[str, Any]:
        return {"session": report(labelling.report(person, _session(asked)))}

    @answered(accounts, "expert")
    def label_close(person: Person, asked: dict[str, Any]) -> dict[str, Any]:
        labelling.close(person, _session(asked))
        return {"session": report(labelling.report(person, _session(asked)))}

    @answered(accounts, "expert")
    def label_new_taxon(person: Person, asked: dict[str, Any]) -> dict[str, Any]:
        taxon = labelling.new_taxon(
            person,
            payloads.text(asked.get("name"), "name"),
            payloads.optional_text(asked.get("latin"), "Latin name"),
            payloads.optional_text(asked.get("parent"), "parent"),
        )
        return {"taxon": {"taxon": taxon.id, "name": taxon.name, "latin": taxon.latin, "is_leaf": True}}

    @answered(accounts, "expert")
    def label_search(person: Person, asked: dict[str, Any]) -> dict[str, Any]:
        return {"taxa": payloads.as_json(labelling.search(person, payloads.text(asked.get("query"), "query")))}

    return [label_open, label_start, label_report, label_close, label_new_taxon, label_search]


def items(labelling: Labelling, accounts: Accounts) -> list[Callable[..., dict[str, Any]]]:
    """The pictures of a session: asking for them and answering."""

    @answered(accounts, "expert")
    def label_next(person: Person, asked: dict[str, Any]) -> dict[str, Any]:
        have = payloads.texts(asked.get("have", []), "have", 12)
        count = int(payloads.number(asked.get("count", 3), "count"))
        found = labelling.next_items(person, _session(asked), have, count)
        waiting = not found and labelling.is_waiting(person, _session(asked))
        return {"items": [item(one) for one in found], "waiting": waiting}

    @answered(accounts, "expert")
    def label_answer(person: Person, asked: dict[str, Any]) -> dict[str, Any]:
        said = said_in(person, asked)
        try:
            kept = labelling.answer(person, _session(asked), said)
            return {"saved": kept.id, "done": labelling.done(person, _session(asked))}
        except StaleError as error:
            again = labelling.item(person, said.image)
            return {"stale": item(again), "error": str(error), "code": "stale"}

    @answered(accounts, "expert")
    def label_undo(person: Person, asked: dict[str, Any]) -> dict[str, Any]:
        undone = labelling.undo(person, _session(asked), payloads.optional_number(asked.get("answer"), "answer"))
        if undone is None:
            return {"nothing": True}
        return {
            "item": item(undone[0]),
            "undone": event(undone[1], labelling.taxonomy()),
            "done": labelling.done(person, _session(asked)),
        }

    return [label_next, label_answer, label_undo]


def explanations(labelling: Labelling, review: Review, accounts: Accounts) -> list[Callable[..., dict[str, Any]]]:
    """Why the model says what it says, how both kinds look elsewhere, and what people have said."""

    @answered(accounts, "expert")
    def label_explain(person: Person, asked: dict[str, Any]) -> dict[str, Any]:
        if labelling.explainer is None:
            raise FgdemoError("Explanations are not to be had here.")
        a, b = (payloads.optional_text(asked.get(side), side) for side in ("a", "b"))
        return payloads.as_json(labelling.explainer.explain(payloads.text(asked.get("image"), "image"), a, b))

    @answered(accounts, "expert")
    def label_references(person: Person, asked: dict[str, Any]) -> dict[str, Any]:
        if labelling.explainer is None:
            return {"a": [], "b": []}
        image, a, b = (payloads.text(asked.get(field), field) for field in ("image", "a", "b"))
        found = labelling.explainer.references(image, a, b)
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
    def label_history(person: Person, asked: dict[str, Any]) -> dict[str, Any]:
        events = review.history(person, payloads.text(asked.get("image"), "image"))
        return {"events": [event(said, labelling.taxonomy()) for said in events]}

    return [label_explain, label_references, label_history]


def said_in(person: Person, asked: dict[str, Any]) -> LabelEvent:
    """The answer that a page or a program sends."""
    return LabelEvent(
        image=payloads.text(asked.get("image"), "image"),
        kind=payloads.text(asked.get("kind"), "kind"),  # type: ignore[arg-type]
        annotator=person.name,
        taxon=payloads.optional_text(asked.get("taxon"), "taxon"),
        shown_version=int(payloads.number(asked.get("shown_version"), "shown_version")),
        model_version=payloads.optional_text(asked.get("model_version"), "model_version"),
        seconds_spent=payloads.seconds(asked.get("seconds", 0), "seconds"),
        comment=clean_text(payloads.optional_text(asked.get("comment"), "comment", LONGEST_COMMENT) or "") or None,
        answer_key=payloads.text(asked.get("key"), "key"),
        blind=asked.get("blind") is True,
        session=_session(asked),
        reason=payloads.optional_text(asked.get("reason"), "reason"),
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
    }


def _session(asked: dict[str, Any]) -> int:
    return int(payloads.number(asked.get("session"), "session"))
