"""Who is held to a limit: the person who has signed in, else the address that a request came from."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fgdemo.services.classify.rate_limits import Deed, Limits, Visitor, rates
from fgdemo.storage.pictures.decoding import decode_for
from fgdemo.values.annotation import Person
from fgdemo.web.http.identity import who

if TYPE_CHECKING:
    from fgdemo.settings import Settings
    from fgdemo.storage.people.accounts import Accounts

Spend = Callable[[Any, Deed], Person]
"""Counts what the sender of a request does, and says who that is. Raises BusyError where it is too much."""
IPV6_PREFIX = 64
"""One household has as many addresses as it likes within such a block."""


def spending(settings: Settings, accounts: Accounts) -> Spend:
    """Counts for the questions of the page and the API."""
    limits = Limits(rates(settings.asks_per_minute))

    def spend(request: Any, deed: Deed) -> Person:
        person = who(request, accounts)
        visitor = Visitor(f"person {person.name}", person.role)
        if person.role == "visitor":
            visitor = Visitor(address_of(request, settings.proxies))
        limits.spend(visitor, deed)
        decode_for(visitor.key)
        return person

    return spend


def address_of(request: Any, proxies: int) -> str:
    """The address of whoever sent a request, Starlette's or Gradio's.

    Anybody may write anything into X-Forwarded-For, and each proxy adds at the end whom it heard, so only as many
    entries from the end are believed as there are proxies.
    """
    client = getattr(request, "client", None)
    address = getattr(client, "host", None) or "nowhere"
    if proxies:
        told = [one.strip() for one in (request.headers.get("x-forwarded-for") or "").split(",") if one.strip()]
        address = told[-proxies] if len(told) >= proxies else (told or [address])[0]
    return block_of(address)


def block_of(address: str) -> str:
    """Of an IPv6 address the block that one household has; any other address as it is."""
    try:
        known = ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        return address[:64]
    if known.version == 6 and known.ipv4_mapped is None:
        return str(ipaddress.ip_network((known, IPV6_PREFIX), strict=False))
    return str(known)
