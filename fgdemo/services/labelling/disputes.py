"""Who may settle what experts disagree about: a third person, or a maintainer, never one of those who disagree."""

from collections.abc import Collection, Sequence

import numpy as np

from fgdemo.storage.history.events import EventLog
from fgdemo.storage.history.label_event import parties_to
from fgdemo.storage.history.roster import Roster
from fgdemo.storage.people.names import folded
from fgdemo.values.annotation import Person
from fgdemo.values.errors import ForbiddenError

OWN = "You are one of those who disagree about this picture: another expert, or a maintainer, has the last word."


def require_third(log: EventLog, person: Person, images: Sequence[str]) -> None:
    """Raises ForbiddenError where an expert would settle a dispute of their own; a token is who its name is."""
    if person.role == "maintainer" or not images:
        return
    for history in log.histories(images).values():
        if folded(person.name) in {folded(name) for name in parties_to(history)}:
            raise ForbiddenError(OWN)


def own_disputes(roster: Roster, person: Person, seconded: Collection[str]) -> set[str]:
    """The disputed pictures that are not put before this person.

    Args:
        seconded: pictures about which the person gave a blind second opinion.
    """
    if person.role == "maintainer":
        return set()
    names = roster.annotators
    rows = np.flatnonzero(roster.disputed)
    disputed = zip(roster.image_ids.at(rows), roster.annotator[rows].tolist(), strict=True)
    return {image for image, by in disputed if image in seconded or names[by] == person.name}
