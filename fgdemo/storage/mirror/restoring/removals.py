"""Which pictures were removed for good, where several workspaces spoke about them without knowing of each other.

A picture that its sender took back, or whose time was over, never comes back by a mirror. It does where somebody
brought it again who knew of the removal, and where a maintainer had brought the same picture elsewhere, on their own.
"""

from collections.abc import Iterable, Mapping

from fgdemo.storage.history.label_event import BRINGS, REMOVED
from fgdemo.storage.mirror.records import Identity, MirroredEvent


def removed_for_good(events: Iterable[MirroredEvent]) -> set[str]:
    """The ids of these pictures."""
    listed = list(events)
    removed = {one.image for one in listed if one.reason == REMOVED}
    histories: dict[str, list[MirroredEvent]] = {image: [] for image in removed}
    for one in listed:
        if one.image in removed:
            histories[one.image].append(one)
    return {image for image, history in histories.items() if not _is_there_again(history)}


def _is_there_again(history: list[MirroredEvent]) -> bool:
    known = {one.identity: one for one in history}
    before = {identity: _all_before(identity, known) for identity in known}
    removals = [one.identity for one in history if one.reason == REMOVED]

    def outlives(one: MirroredEvent, removal: Identity) -> bool:
        knew = removal in before[one.identity]
        return knew or (one.kind == "import" and one.identity not in before[removal])

    brought = [one for one in history if one.kind in BRINGS]
    return any(all(outlives(one, removal) for removal in removals) for one in brought)


def _all_before(identity: Identity, known: Mapping[Identity, MirroredEvent]) -> set[Identity]:
    """All that was known to who said this."""
    found: set[Identity] = set()
    waiting = [identity]
    while waiting:
        one = known[waiting.pop()]
        named = {one.after, one.shown, one.undoes}
        earlier = [(origin, n) for origin, n in known if origin == one.identity[0] and n < one.identity[1]]
        fresh = [name for name in (*named, *earlier) if name in known and name not in found]
        found.update(fresh)  # type: ignore[arg-type]
        waiting.extend(fresh)  # type: ignore[arg-type]
    return found
