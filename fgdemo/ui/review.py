"""The Review page: its markup, and the questions it may ask the server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from fgdemo.annotation import Person
from fgdemo.ui import payloads
from fgdemo.ui.identity import answered
from fgdemo.ui.label import sources

if TYPE_CHECKING:
    from fgdemo.services.review import Review, Tile
    from fgdemo.storage.accounts import Accounts

MARKUP = Path(__file__).parent / "static" / "review.html"
SCRIPT = "import(new URL({module}, document.baseURI)).then((page) => page.mount(element, {{ server }}))"
MOST_PICTURES = 1000


def review_page(review: Review, accounts: Accounts, static_url: str) -> gr.HTML:
    """Place the page in the current Blocks."""
    return gr.HTML(
        html_template=MARKUP.read_text(encoding="utf-8"),
        js_on_load=SCRIPT.format(module=json.dumps(f"{static_url}/review.js")),
        apply_default_css=False,
        elem_id="fg-page-review",
        server_functions=questions(review, accounts),
    )


def questions(review: Review, accounts: Accounts) -> list[Callable[..., dict[str, Any]]]:
    """What the page may ask."""

    @answered(accounts, "expert")
    def review_open(person: Person, asked: dict[str, Any]) -> dict[str, Any]:
        return payloads.as_json(review.overview(person))

    @answered(accounts, "expert")
    def review_grid(person: Person, asked: dict[str, Any]) -> dict[str, Any]:
        grid = review.grid(
            person,
            given=payloads.optional_text(asked.get("given"), "given"),
            suggested=payloads.optional_text(asked.get("suggested"), "suggested"),
            state=payloads.text(asked.get("state", "all"), "state"),
            sort=payloads.text(asked.get("sort", "suspicion"), "sort"),
            offset=int(payloads.number(asked.get("offset", 0), "offset")),
            limit=int(payloads.number(asked.get("limit", 100), "limit")),
        )
        return {"total": grid.total, "tiles": tiles(grid.tiles)}

    @answered(accounts, "expert")
    def review_relabel(person: Person, asked: dict[str, Any]) -> dict[str, Any]:
        given = asked.get("items")
        chosen = given if isinstance(given, list) and len(given) <= MOST_PICTURES else []
        pictures = [payloads.fields(one) for one in chosen]
        batch, now = review.relabel(
            person,
            [
                (payloads.text(p.get("image"), "image"), int(payloads.number(p.get("version"), "version")))
                for p in pictures
            ],
            payloads.text(asked.get("kind"), "kind"),  # type: ignore[arg-type]
            payloads.optional_text(asked.get("taxon"), "taxon"),
            payloads.text(asked.get("key"), "key"),
        )
        return {"batch": batch, "tiles": tiles(now)}

    @answered(accounts, "expert")
    def review_undo(person: Person, asked: dict[str, Any]) -> dict[str, Any]:
        return {"tiles": tiles(review.undo(person, payloads.text(asked.get("batch"), "batch")))}

    @answered(accounts, "expert")
    def review_pair(person: Person, asked: dict[str, Any]) -> dict[str, Any]:
        found = review.pair(person, payloads.text(asked.get("a"), "a"), payloads.text(asked.get("b"), "b"))
        strips = {name: tiles(getattr(found, name)) for name in ("a_typical", "b_typical", "between")}
        parts = [
            {"name": one.part.name or f"part {one.part.id + 1}", "colour": one.part.colour, "value": one.value}
            for one in found.parts
        ]
        return {**payloads.as_json(found), **strips, "parts": parts}

    return [review_open, review_grid, review_relabel, review_undo, review_pair]


def tiles(found: tuple[Tile, ...]) -> list[dict[str, Any]]:
    return [{**payloads.as_json(tile), **sources(tile.image)} for tile in found]
