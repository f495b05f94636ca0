"""Placing points: the questions that the dialog of Label and Review may ask. It has no markup of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import gradio as gr
from pydantic import Field

from fgdemo.services.labelling.pointing import point_of
from fgdemo.storage.history.points import MOST_AT_ONCE
from fgdemo.values.annotation import Person
from fgdemo.web.http import payloads
from fgdemo.web.http.identity import answered
from fgdemo.web.http.payloads import Asked, Key, Number, OptionalText, Text
from fgdemo.web.pages.label import OfPicture, sources

if TYPE_CHECKING:
    from fgdemo.services.labelling.pointing import Pointed, Pointing
    from fgdemo.storage.people.accounts import Accounts


class Point(Asked):
    """Where a part is seen, as fractions of width and height; without x and y it is not seen here."""

    part: Text
    x: Number | None = None
    y: Number | None = None


class Placed(OfPicture):
    points: Annotated[list[Point], Field(max_length=MOST_AT_ONCE)]
    key: Key
    model_version: OptionalText = None


def points_page(pointing: Pointing, accounts: Accounts) -> gr.HTML:
    """Place the questions in the current Blocks."""
    return gr.HTML(server_functions=questions(pointing, accounts), visible=False)


def questions(pointing: Pointing, accounts: Accounts) -> list[Callable[..., dict[str, Any]]]:
    """A picture with its points, and points that are placed on it."""

    @answered(accounts, "expert")
    def points_open(person: Person, asked: OfPicture) -> dict[str, Any]:
        return told(pointing.open(person, asked.image))

    @answered(accounts, "expert")
    def points_place(person: Person, asked: Placed) -> dict[str, Any]:
        points = [point_of(one.part, one.x, one.y) for one in asked.points]
        return told(pointing.place(person, asked.image, points, asked.key, asked.model_version))

    return [points_open, points_place]


def told(pointed: Pointed) -> dict[str, Any]:
    return {**payloads.as_json(pointed), **sources(pointed.image)}
