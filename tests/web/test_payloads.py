"""What does not fit of what a page or a program sends is told in one sentence: it names the field, and repeats none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fgdemo.values.errors import FgdemoError
from fgdemo.web.http.payloads import Asked, BadRequestError, read
from fgdemo.web.pages.data import Change, Import
from fgdemo.web.pages.label import Next, Plan, Said, Search
from fgdemo.web.pages.review import AboutMany, Filtered
from fgdemo.web.pages.train import Begin, Promote

SAID = {"session": 1, "image": "a", "kind": "label", "shown_version": 2, "key": "k"}


@pytest.mark.parametrize(
    ("model", "sent", "sentence"),
    [
        (Search, None, "The request is not a JSON object; load the page again."),
        (Search, [], "The request is not a JSON object; load the page again."),
        (Search, {}, "“query” is missing."),
        (Search, {"query": None}, "“query” must be text."),
        (Search, {"query": 3}, "“query” must be text."),
        (Search, {"query": "x" * 201}, "“query” is too long: at most 200 characters."),
        (Said, SAID | {"comment": "x" * 2001}, "“comment” is too long: at most 2000 characters."),
        (Said, SAID | {"session": True}, "“session” must be a whole number."),
        (Said, SAID | {"session": "1"}, "“session” must be a whole number."),
        (Said, SAID | {"session": 1.5}, "“session” must be a whole number."),
        (Said, SAID | {"session": 1e300}, "“session” must be 9007199254740992 or less."),
        (Said, SAID | {"seconds": float("nan")}, "“seconds” must be a number."),
        (Said, SAID | {"seconds": -1}, "“seconds” must be 0 or more."),
        (Said, SAID | {"seconds": None}, "“seconds” must be a number."),
        (Said, SAID | {"blind": "yes"}, "“blind” must be true or false."),
        (
            Said,
            SAID | {"kind": "undo"},
            "“kind” must be one of these: label, unsure, skip, unusable, none or adjudication.",
        ),
        (Next, {"session": 1, "have": "a"}, "“have” must be a list."),
        (Next, {"session": 1, "have": ["a"] * 13}, "“have” must be a list of at most 12."),
        (Next, {"session": 1, "have": ["a", 3]}, "“have” must be text."),
        (Plan, {"order": "pair", "pair": ["a"]}, "“pair” must be a list of 2 or more."),
        (Plan, {"order": "new", "goal": 0}, "“goal” must be 1 or more."),
        (Plan, {"order": "new", "blind_share": 1.5}, "“blind_share” must be 1 or less."),
        (AboutMany, {"items": [3], "answer": "label", "key": "k"}, "“items” must be a JSON object."),
        (AboutMany, {"items": [{"image": "a"}], "answer": "label", "key": "k"}, "“version” is missing."),
        (AboutMany, {"items": [{}] * 1001, "answer": "label", "key": "k"}, "“items” must be a list of at most 1000."),
        (Begin, {"preset": "all"}, "“preset” must be one of these: head, quick, standard or thorough."),
        (Promote, {"version": "a", "accept_loss": "0.1"}, "“accept_loss” must be a number."),
        (Change, {"name": "ada", "password": None}, "“password” must be text."),
        (Import, {"about": "a", "location": "x" * 1001}, "“location” is too long: at most 1000 characters."),
    ],
)
def test_each_fault_is_one_sentence(model: type[Asked], sent: Any, sentence: str) -> None:
    with pytest.raises(BadRequestError) as told:
        read(model, sent)
    assert str(told.value) == sentence


def test_what_fits_is_read() -> None:
    said = read(Said, SAID | {"session": 3.0, "image": " a ", "taxon": "", "comment": " x\n", "unknown": 1})
    assert (said.session, said.image, said.taxon, said.comment) == (3, "a", None, "x")
    assert read(Search, {"query": json.loads('"\\ud83d"')}).query == "?"  # half of a character, which cannot be stored
    assert (read(Filtered, {"state": "", "sort": "newest"}).state, read(Filtered, {}).sort) == ("all", "suspicion")
    with pytest.raises(FgdemoError):
        read(Filtered, {"state": "some"})
