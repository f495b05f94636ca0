"""The Review page: its markup, and the questions it may ask the server."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import gradio as gr
from pydantic import BeforeValidator, Field

from fgdemo.services.review import Filter, Shown, StaleBatchError
from fgdemo.services.review.bulk import Answer
from fgdemo.services.review.grid import Sort, State
from fgdemo.values.annotation import Person, Publication
from fgdemo.values.limits import LARGEST_BATCH
from fgdemo.web.http import payloads
from fgdemo.web.http.identity import answered
from fgdemo.web.http.payloads import Asked, OptionalText, Text, Whole
from fgdemo.web.pages.label import OfPair, OfPicture, Search, Sides, event, sources

if TYPE_CHECKING:
    from fgdemo.services.labelling.labelling import Labelling
    from fgdemo.services.review import Review, Tile
    from fgdemo.storage.people.accounts import Accounts

MOST_CELLS = 2000

Questions = list[Callable[..., dict[str, Any]]]


class Filtered(Asked):
    """Which pictures, see `Filter`; an empty text leaves a thing open."""

    given: OptionalText = None
    suggested: OptionalText = None
    split: OptionalText = None
    annotator: OptionalText = None
    imported: OptionalText = None
    state: Annotated[State, BeforeValidator(lambda sent: sent or "all")] = "all"
    sort: Annotated[Sort, BeforeValidator(lambda sent: sent or "suspicion")] = "suspicion"


class Page(Filtered):
    view: Text = ""
    offset: Whole = 0
    limit: Whole = 100


class ShownPicture(Asked):
    image: Text
    version: Whole


class AboutMany(Asked):
    items: Annotated[list[ShownPicture], Field(max_length=LARGEST_BATCH)]
    answer: Answer
    key: Text
    taxon: OptionalText = None


class Publish(Asked):
    """Credit and licence; both null to show the pictures to nobody any more."""

    items: Annotated[list[ShownPicture], Field(max_length=LARGEST_BATCH)]
    key: Text
    credit: OptionalText = None
    licence: OptionalText = None

    def publication(self) -> Publication | None:
        given = self.credit is not None or self.licence is not None
        return Publication(self.credit or "", self.licence or "") if given else None


class Batch(Asked):
    batch: Text


class Which(Asked):
    held_out: bool = False


class OneKind(Asked):
    taxon: Text


class TwoKinds(Asked):
    a: Text
    b: Text


def review_page(review: Review, labelling: Labelling, accounts: Accounts) -> gr.HTML:
    """Place the page's questions in the current Blocks."""
    questions = [*pictures(review, accounts), *answers(review, accounts)]
    questions += [*tables(review, labelling, accounts), *work(labelling, accounts)]
    return gr.HTML(server_functions=questions, visible=False)


def pictures(review: Review, accounts: Accounts) -> Questions:
    """The grid, and one picture closely."""

    @answered(accounts, "expert")
    def review_grid(person: Person, asked: Page) -> dict[str, Any]:
        wanted = picture_filter(asked)
        grid = review.grid(person, wanted, asked.view, asked.offset, asked.limit)
        taxonomy = review.taxonomy()
        named = {taxon: taxonomy[taxon].name for taxon in (wanted.given, wanted.suggested) if taxon}
        groups = [taxon for taxon in named if taxon not in taxonomy.leaf_index]
        return {**payloads.as_json(grid), "tiles": tiles(grid.tiles), "names": named, "groups": groups}

    @answered(accounts, "expert")
    def review_explain(person: Person, asked: Sides) -> dict[str, Any]:
        return payloads.as_json(review.explain(person, asked.image, asked.a, asked.b))

    @answered(accounts, "expert")
    def review_spread(person: Person, asked: OfPair) -> dict[str, Any]:
        return {"contrast": payloads.as_json(review.spread(person, asked.image, asked.a, asked.b))}

    @answered(accounts, "expert")
    def review_history(person: Person, asked: OfPicture) -> dict[str, Any]:
        taxonomy = review.taxonomy()
        events = review.history(person, asked.image)
        return {"events": [event(said, taxonomy) for said in events]}

    return [review_grid, review_explain, review_spread, review_history]


def answers(review: Review, accounts: Accounts) -> Questions:
    """One answer about many pictures, and taking it back."""

    @answered(accounts, "expert")
    def review_answer(person: Person, asked: AboutMany) -> dict[str, Any]:
        items = [Shown(one.image, one.version) for one in asked.items]
        try:
            batch, now = review.answer(person, items, asked.answer, asked.taxon, asked.key)
        except StaleBatchError as error:
            return {"error": str(error), "code": "stale", "stale": tiles(review.tiles(person, error.images))}
        return {"batch": batch, "tiles": tiles(now)}

    @answered(accounts, "maintainer")
    def review_publish(person: Person, asked: Publish) -> dict[str, Any]:
        items = [Shown(one.image, one.version) for one in asked.items]
        batch, now = review.publish(person, items, asked.publication(), asked.key)
        return {"batch": batch, "tiles": tiles(now)}

    @answered(accounts, "expert")
    def review_undo(person: Person, asked: Batch) -> dict[str, Any]:
        return {"tiles": tiles(review.undo(person, asked.batch))}

    return [review_answer, review_publish, review_undo]


def tables(review: Review, labelling: Labelling, accounts: Accounts) -> Questions:
    """The workspace in numbers: confusions, kinds, pairs, people."""

    @answered(accounts, "expert")
    def review_open(person: Person, asked: Asked) -> dict[str, Any]:
        gold = labelling.gold_now(person) if person.role == "maintainer" else None
        return {**payloads.as_json(review.overview(person)), "gold_check": payloads.as_json(gold)}

    @answered(accounts, "expert")
    def review_matrix(person: Person, asked: Which) -> dict[str, Any]:
        return payloads.as_json(review.matrix(person, asked.held_out, MOST_CELLS))

    @answered(accounts, "expert")
    def review_kinds(person: Person, asked: Asked) -> dict[str, Any]:
        return {"kinds": payloads.as_json(review.kinds(person))}

    @answered(accounts, "expert")
    def review_kind(person: Person, asked: OneKind) -> dict[str, Any]:
        found = review.kind(person, asked.taxon)
        return {**payloads.as_json(found), **{name: tiles(getattr(found, name)) for name in ("typical", "odd")}}

    @answered(accounts, "expert")
    def review_pair(person: Person, asked: TwoKinds) -> dict[str, Any]:
        found = review.pair(person, asked.a, asked.b)
        strips = {name: tiles(getattr(found, name)) for name in ("a_typical", "b_typical", "between")}
        return {**payloads.as_json(found), **strips}

    @answered(accounts, "expert")
    def review_parts(person: Person, asked: TwoKinds) -> dict[str, Any]:
        weights = review.deciding_parts(person, asked.a, asked.b)
        return {
            "parts": [
                {"name": one.part.name or f"part {one.part.id + 1}", "colour": one.part.colour, "value": one.value}
                for one in weights
            ]
        }

    @answered(accounts, "expert")
    def review_annotators(person: Person, asked: Asked) -> dict[str, Any]:
        return payloads.as_json(review.annotators(person))

    return [review_open, review_matrix, review_kinds, review_kind, review_pair, review_parts, review_annotators]


def work(labelling: Labelling, accounts: Accounts) -> Questions:
    """What leads from here to a labelling session, and the search over all kinds."""

    @answered(accounts, "expert")
    def review_search(person: Person, asked: Search) -> dict[str, Any]:
        return {"taxa": payloads.as_json(labelling.search(person, asked.query))}

    @answered(accounts, "expert")
    def review_session(person: Person, asked: TwoKinds) -> dict[str, Any]:
        return {"session": labelling.start(person, "pair", (asked.a, asked.b), None, 0.0).id}

    return [review_search, review_session]


def picture_filter(asked: Filtered) -> Filter:
    """Which pictures a question, or the address of the table, asks for."""
    return Filter(**{name: getattr(asked, name) for name in Filtered.model_fields})


def tiles(found: tuple[Tile, ...]) -> list[dict[str, Any]]:
    return [{**payloads.as_json(tile), **sources(tile.image)} for tile in found]
