"""The Data page: pictures in, pictures out, and who may do what. For maintainers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gradio as gr

from fgdemo.storage.exchange.export import ExportFormat
from fgdemo.storage.people.names import folded
from fgdemo.values.annotation import Person, Role
from fgdemo.values.errors import SettingsError
from fgdemo.web.http import payloads
from fgdemo.web.http.identity import answered
from fgdemo.web.http.payloads import Asked, Location, OptionalText, Text

if TYPE_CHECKING:
    from fgdemo.services.exchange.transfers import Transfer, Transfers
    from fgdemo.storage.exchange.incoming import Incoming
    from fgdemo.storage.people.accounts import Accounts


class Import(Asked):
    """What is to be read: files that were sent as a batch, or a place that the server can reach."""

    about: Text
    batch: OptionalText = None
    location: Location = ""


class Agreed(Asked):
    """The answer to what an import would do: `asked` is the name of the question."""

    asked: Text
    unsorted: bool = False


class NewExport(Asked):
    format: ExportFormat


class NewPerson(Asked):
    name: Text
    role: Role
    password: str = ""


class Change(Asked):
    """Of what is sent beside the name, one thing is changed."""

    name: Text
    role: Role = "visitor"
    password: str = ""
    disabled: bool = False


def data_page(transfers: Transfers, incoming: Incoming, accounts: Accounts) -> gr.HTML:
    """Place the page's questions in the current Blocks."""
    return gr.HTML(server_functions=[*moving(transfers, incoming, accounts), *people(accounts)], visible=False)


def moving(transfers: Transfers, incoming: Incoming, accounts: Accounts) -> list[Callable[..., dict[str, Any]]]:
    """Imports and exports: beginning, following and stopping them."""

    @answered(accounts, "maintainer")
    def data_now(person: Person, asked: Asked) -> dict[str, Any]:
        return as_reply(transfers.now(person))

    @answered(accounts, "maintainer")
    def data_import(person: Person, asked: Import) -> dict[str, Any]:
        locations = [asked.location] if asked.batch is None else incoming.locations(asked.batch)
        return as_reply(transfers.begin_look(person, locations, asked.about))

    @answered(accounts, "maintainer")
    def data_accept(person: Person, asked: Agreed) -> dict[str, Any]:
        return as_reply(transfers.accept(person, asked.asked, asked.unsorted, lambda sent: incoming.remove(list(sent))))

    @answered(accounts, "maintainer")
    def data_decline(person: Person, asked: Agreed) -> dict[str, Any]:
        return as_reply(transfers.decline(person, asked.asked, lambda sent: incoming.remove(list(sent))))

    @answered(accounts, "maintainer")
    def data_go_on(person: Person, asked: Asked) -> dict[str, Any]:
        return as_reply(transfers.go_on(person, lambda locations: incoming.remove(list(locations))))

    @answered(accounts, "maintainer")
    def data_export(person: Person, asked: NewExport) -> dict[str, Any]:
        return as_reply(transfers.begin_export(person, asked.format))

    @answered(accounts, "maintainer")
    def data_cancel(person: Person, asked: Asked) -> dict[str, Any]:
        transfers.cancel(person)
        return as_reply(transfers.now(person))

    return [data_now, data_import, data_accept, data_decline, data_go_on, data_export, data_cancel]


def people(accounts: Accounts) -> list[Callable[..., dict[str, Any]]]:
    """Who may sign in, and as what."""

    @answered(accounts, "maintainer")
    def people_list(person: Person, asked: Asked) -> dict[str, Any]:
        return {"people": payloads.as_json(accounts.all()), "me": person.name}

    @answered(accounts, "maintainer")
    def people_add(person: Person, asked: NewPerson) -> dict[str, Any]:
        accounts.add(asked.name, asked.role, asked.password, person)
        return {"people": payloads.as_json(accounts.all()), "me": person.name}

    @answered(accounts, "maintainer")
    def people_change(person: Person, asked: Change) -> dict[str, Any]:
        name = asked.name
        if "password" in asked.model_fields_set:
            accounts.set_password(name, asked.password, person)
        elif folded(name) == folded(person.name):
            raise SettingsError("You cannot take rights from yourself: another maintainer can.")
        elif "role" in asked.model_fields_set:
            accounts.set_role(name, asked.role, person)
        else:
            accounts.disable(name, asked.disabled, person)
        return {"people": payloads.as_json(accounts.all()), "me": person.name}

    return [people_list, people_add, people_change]


def as_reply(transfer: Transfer | None) -> dict[str, Any]:
    """A transfer as the page draws it. Paths of the server stay on the server."""
    if transfer is None:
        return {"transfer": None}
    fields = payloads.as_json(transfer)
    size = transfer.file.stat().st_size if transfer.file is not None and transfer.file.is_file() else None
    shown = {key: value for key, value in fields.items() if key not in ("file", "left_out_file")}
    return {"transfer": {**shown, "size_bytes": size, "has_list": transfer.left_out_file is not None}}
