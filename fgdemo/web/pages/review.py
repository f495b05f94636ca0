"""The Review page: its markup, and the questions it may ask the server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import gradio as gr

from fgdemo.services.review import Filter, Shown, StaleBatchError
from fgdemo.services.review.bulk import LARGEST_BATCH
from fgdemo.values.annotation import Person
from fgdemo.values.errors import StorageError
from fgdemo.web.http import payloads
from fgdemo.web.http.identity import answered
from fgdemo.web.pages.label import event, sources
from fgdemo.web.pages.mounting import mounted

if TYPE_CHECKING:
    from fgdemo.services.labelling.labelling import Labelling
    from fgdemo.services.review import Review, Tile
    from fgdemo.storage.people.accounts import Accounts

MOST_CELLS = 2000
_FILTERED_BY = ("given", "suggested", "split", "annotator", "imported")

Questions = list[Callable[..., dict[str, Any]]]


def review_page(review: Review, labelling: Labelling, accounts: Accounts, static_url: str) -> gr.HTML:
    """Place the page in the current Blocks."""
    questions = [
        *pictures(review, accounts),
        *answers(review, accounts),
        *tables(review, labelling, accounts),
        *work(labelling, accounts),
    ]
    return mounted("review", static_url, questions)


def pictures(review: Review, accounts: Accounts) -> Questions:
    """The grid, and one picture closely."""

    @answered(accounts, "expert")
    def review_grid(person: Person, asked: dict[str, Any]) -> dict[str, Any]:
        wanted = picture_filter(asked)
        grid = review.grid(
            person,
            wanted,
            payloads.text(asked.get("view", ""), "view"),
            int(payloads.number(asked.get("offset", 0), "offset")),
            int(payloads.number(asked.get("limit", 100), "limit")),
        )
        taxonomy = review.taxonomy()
        named = {taxon: taxonomy[taxon].name for taxon in (wanted.given, wanted.suggested) if taxon}
        groups = [taxon for taxon in named if taxon not in taxonomy.leaf_index]
        return {**payloads.as_json(grid), "tiles": tiles(grid.tiles), "names": named, "groups": groups}

    @answered(accounts, "expert")
    def review_explain(person: Person, asked: dict[str, Any]) -> dict[str, Any]:
        a, b = (payloads.optional_text(asked.get(side), side) for side in ("a", "b"))
        return payloads.as_json(review.explain(person, payloads.text(asked.get("image"), "image"), a, b))

    @answered(accounts, "expert")
    def review_history(person: Person, asked: dict[str, Any]) -> dict[str, Any]:
        taxonomy = review.taxonomy()
        events = review.history(person, payloads.text(asked.get("image"), "image"))
        return {"events": [event(said, taxonomy) for said in events]}

    return [review_grid, review_explain, review_history]


def answers(review: Review, accounts: Accounts) -> Questions:
    """One answer about many pictures, and taking it back."""

    @answered(accounts, "expert")
    def review_answer(person: Person, asked: dict[str, Any]) -> dict[str, Any]:
        given = asked.get("items")
        if not isinstance(given, list) or len(given) > LARGEST_BATCH:
            raise StorageError(f"Choose 1 to {LARGEST_BATCH} pictures and what they are.")
        items = [
            Shown(payloads.text(one.get("image"), "image"), int(payloads.number(one.get("version"), "version")))
            for one in map(payloads.fields, given)
        ]
        answer: Any = payloads.text(asked.get("answer"), "answer")
        taxon, key = payloads.optional_text(asked.get("taxon"), "taxon"), payloads.text(asked.get("key"), "key")
        try:
            batch, now = review.answer(person, items, answer, taxon, key)
        except StaleBatchError as error:
            return {"error": str(error), "code": "stale", "stale": tiles(review.tiles(person, error.images))}
        return {"batch": batch, "tiles": tiles(now)}

    @answered(accounts, "expert")
    def review_undo(person: Person, asked: dict[str, Any]) -> dict[str, Any]:
        return {"tiles": tiles(review.undo(person, payloads.text(asked.get("batch"), "batch")))}

    return [review_answer, review_undo]


def tables(review: Review, labelling: Labelling, accounts: Accounts) -> Questions:
    """The workspace in numbers: confusions, kinds, pairs, people."""

    @answered(accounts, "expert")
    def review_open(person: Person, asked: dict[str, Any]) -> dict[str, Any]:
        gold = labelling.gold_now(person) if person.role == "maintainer" else None
        return {**payloads.as_json(review.overview(person)), "gold_check": payloads.as_json(gold)}

    @answered(accounts, "expert")
    def review_matrix(person: Person, asked: dict[str, Any]) -> dict[str, Any]:
        return payloads.as_json(review.matrix(person, asked.get("held_out") is True, MOST_CELLS))

    @answered(accounts, "expert")
    def review_kinds(person: Person, asked: dict[str, Any]) -> dict[str, Any]:
        return {"kinds": payloads.as_json(review.kinds(person))}

    @answered(accounts, "expert")
    def review_kind(person: Person, asked: dict[str, Any]) -> dict[str, Any]:
        found = review.kind(person, payloads.text(asked.get("taxon"), "taxon"))
        return {**payloads.as_json(found), **{name: tiles(getattr(found, name)) for name in ("typical", "odd")}}

    @answered(accounts, "expert")
    def review_pair(person: Person, asked: dict[str, Any]) -> dict[str, Any]:
        found = review.pair(person, *(payloads.text(asked.get(side), side) for side in ("a", "b")))
        strips = {name: tiles(getattr(found, name)) for name in ("a_typical", "b_typical", "between")}
        return {**payloads.as_json(found), **strips}

    @answered(accounts, "expert")
    def review_parts(person: Person, asked: dict[str, Any]) -> dict[str, Any]:
        weights = review.deciding_parts(person, *(payloads.text(asked.get(side), side) for side in ("a", "b")))
        return {
            "parts": [
                {"name": one.part.name or f"part {one.part.id + 1}", "colour": one.part.colour, "value": one.value}
                for one in weights
            ]
        }

    @answered(accounts, "expert")
    def review_annotators(person: Person, asked: dict[str, Any]) -> dict[str, Any]:
        return payloads.as_json(review.annotators(person))

    return [review_open, review_matrix, review_kinds, review_kind, review_pair, review_parts, review_annotators]


def work(labelling: Labelling, accounts: Accounts) -> Questions:
    """What leads from here to a labelling session, and the search over all kinds."""

    @answered(accounts, "expert")
    def review_search(person: Person, asked: dict[str, Any]) -> dict[str, Any]:
        return {"taxa": payloads.as_json(labelling.search(person, payloads.text(asked.get("query"), "query")))}

    @answered(accounts, "expert")
    def review_session(person: Person, asked: dict[str, Any]) -> dict[str, Any]:
        a, b = (payloads.text(asked.get(side), side) for side in ("a", "b"))
        return {"session": labelling.start(person, "pair", (a, b), None, 0.0).id}

    return [review_search, review_session]


def picture_filter(asked: Mapping[str, Any]) -> Filter:
    """Which pictures a question, or the address of the table, asks for."""
    named = {name: payloads.optional_text(asked.get(name), name) for name in _FILTERED_BY}
    state: Any = payloads.text(asked.get("state") or "all", "state")
    sort: Any = payloads.text(asked.get("sort") or "suspicion", "sort")
    return Filter(**named, state=state, sort=sort)


def tiles(found: tuple[Tile, ...]) -> list[dict[str, Any]]:
    return [{**payloads.as_json(tile), **sources(tile.image)} for tile in found]
