"""What the annotations and predictions of one task of Label Studio say about its picture."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from fgdemo.storage.disk.strict_json import as_list, as_object
from fgdemo.storage.formats.label_studio.history import STATES, History
from fgdemo.values.annotation import Kind
from fgdemo.values.labelled import SourceContent, SourceEvent, instant, plain_text
from fgdemo.values.limits import LONGEST_ANNOTATOR, LONGEST_COMMENT

NAMING = ("choices", "taxonomy")
_KINDS: Mapping[str, Kind] = {choice: kind for kind, choice in STATES.items()}


@dataclass
class Reading:
    """How one export is read: the control that names the kind, what is named as left out, and what no one reads."""

    control: str | None
    found: SourceContent
    unread: Counter[str] = field(default_factory=Counter[str])
    names: Mapping[tuple[str, ...], str] = field(default_factory=dict[tuple[str, ...], str])
    """What each path of a taxonomy is called, as `fgdemo.storage.trees.folders.told_apart` has it."""

    def tell_unread(self, name: str) -> None:
        for what, count in sorted(self.unread.items()):
            self.found.skip(name, f"{what} ({count} ×)")


@dataclass(frozen=True)
class _Annotation:
    """One annotation, whatever form it came in. `choices`: the kinds that were chosen; None where those of regions."""

    choices: tuple[str, ...] | None
    comment: str
    ref: int | None
    annotator: str
    at: str | None
    seconds_spent: float | None
    cancelled: bool
    ground_truth: bool


def controls_of(tasks: Iterable[Mapping[str, Any]]) -> list[str]:
    """The names of all controls that name kinds of whole pictures."""
    names: dict[str, None] = {}
    for task in tasks:
        for told in (*_annotations(task), *_objects(task.get("predictions"))):
            names |= dict.fromkeys(_name(one) for one in _objects(told.get("result")) if one.get("type") in NAMING)
    return [name for name in names if name]


def taxonomy_paths(tasks: Iterable[Mapping[str, Any]], control: str | None) -> set[tuple[str, ...]]:
    """All paths from the root down that were chosen in controls that show a taxonomy."""
    return {
        path
        for task in tasks
        for told in (*_annotations(task), *_objects(task.get("predictions")))
        for one in _objects(told.get("result"))
        if _name(one) in (control, "")
        for path in _paths(as_object(one.get("value")) or {})
    }


def answers(task: Mapping[str, Any], history: History | None, where: str, reading: Reading) -> Iterator[SourceEvent]:
    """What was said about the picture of the task, oldest first; what names no kind is named in the reading."""
    data = task["data"]
    if history is not None:
        yield from history.said
    else:
        yield from _predicted(task, data, where, reading)
    if _objects(task.get("drafts")):
        reading.found.skip(where, "has a draft, which was not submitted: it is no answer")
    annotations = [one for raw in _annotations(task) if (one := _annotation(raw, where, reading)) is not None]
    if history is None:
        yield from _fresh(annotations, _text(data.get("annotator"), LONGEST_ANNOTATOR), None, where, reading)
        return
    kept = {one.ref for one in annotations}
    for ref in history.shown.keys() - kept:
        reading.found.skip(where, f"the answer of {history.of(ref).annotator} was deleted or skipped there: it stays")
    decided = next((history.of(ref).annotator for ref in history.shown if not history.of(ref).blind), None)
    fresh: list[_Annotation] = []
    for one in annotations:
        if one.ref in history.shown:
            yield from _changed(one, history, where, reading)
        else:
            fresh.append(one)
    yield from _fresh(fresh, None, decided, where, reading)


def _changed(one: _Annotation, history: History, where: str, reading: Reading) -> Iterator[SourceEvent]:
    """Nothing, where it is as it was exported."""
    shown = history.shown[one.ref or 0]
    before, comment = history.of(shown.ref), _text(shown.comment, LONGEST_COMMENT) or ""
    same = not one.cancelled and (one.choices, one.comment) == ((shown.choice,), comment)
    settles = one.ground_truth and len(history.shown) > 1
    if same and not settles:
        return
    for told in _said(one, where, reading):
        aside = (before.blind or history.is_gold) and not settles and told.kind != "skip"
        told = replace(told, blind=aside, reason="second" if aside else None, shown=shown.ref)
        yield replace(told, kind="adjudication") if settles and told.kind == "label" else told


def _fresh(
    annotations: list[_Annotation], own: str | None, first: str | None, where: str, reading: Reading
) -> Iterator[SourceEvent]:
    """Answers that began there; `first` is who decided before, and `own` the name of whoever comes first."""
    last_words: list[SourceEvent] = []
    truths = sum(one.ground_truth for one in annotations)  # whatever is imported there, all of it is ground truth
    settles = truths == 1 and len(annotations) > 1
    for one in annotations:
        for told in _said(replace(one, annotator=own) if own and first is None else one, where, reading):
            if told.kind == "skip":
                yield told
            elif one.ground_truth and settles and told.kind == "label":
                last_words.append(replace(told, kind="adjudication"))
            else:
                second = first is not None and told.annotator != first
                yield replace(told, blind=second, reason="second" if second else None)
                first = first or told.annotator
    yield from last_words


def _said(one: _Annotation, where: str, reading: Reading) -> Iterator[SourceEvent]:
    if one.cancelled:
        yield SourceEvent("skip", None, one.annotator, one.at, one.comment or None)
    elif one.choices is None or (len(one.choices) != 1 and one.choices):
        several = f": {', '.join(one.choices[:10])}" if one.choices else ""
        reading.found.skip(where, f"has an annotation of {one.annotator} that does not name one class{several}")
    elif not one.choices:
        reading.found.skip(where, f"has an annotation of {one.annotator} in which nothing is chosen")
    else:
        kind = _KINDS.get(one.choices[0], "label")
        label = None if one.choices[0] in _KINDS else one.choices[0]
        yield SourceEvent(kind, label, one.annotator, one.at, one.comment or None, one.seconds_spent)


def _predicted(task: Mapping[str, Any], data: Mapping[str, Any], where: str, reading: Reading) -> Iterator[SourceEvent]:
    predictions = as_list(task.get("predictions")) or []
    if any(as_object(one) is None for one in predictions):
        reading.unread["has predictions as numbers only, which Label Studio's plain export leaves out"] += 1
    annotator = _text(data.get("imported_by"), LONGEST_ANNOTATOR) or "import"
    for prediction in _objects(predictions):
        one = _annotation({**prediction, "completed_by": annotator, "was_cancelled": False}, where, reading)
        for told in _said(one, where, reading) if one is not None else ():
            yield replace(told, kind="import", seconds_spent=None) if told.kind == "label" else told


# --- one annotation --------------------------------------------------------------------------------------------


def _annotations(task: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Oldest first: Label Studio lists them newest first in JSON-MIN."""
    found = _objects(task.get("annotations", task.get("completions")))
    return sorted(found, key=lambda one: (instant(one.get("created_at")) or "", _whole(one.get("id")) or 0))


def _annotation(raw: Mapping[str, Any], where: str, reading: Reading) -> _Annotation | None:
    reviews = _objects(raw.get("reviews"))
    annotator = _annotator(raw.get("completed_by")) or "label-studio"
    if reviews and reviews[-1].get("accepted") is False:
        reading.found.skip(where, f"has an annotation of {annotator} that a reviewer rejected")
        return None
    chosen: list[str] | None = []
    texts: list[str] = []
    ref = None
    for result in _objects(raw.get("result")):
        kind, name, value = result.get("type"), _name(result), as_object(result.get("value")) or {}
        if kind in NAMING and name in (reading.control, ""):
            names = None if "x" in value or "start" in value else _chosen(value, reading.names)
            chosen = None if names is None or chosen is None else chosen + names
        elif kind == "textarea" and name == "said":
            ref = _whole(next(iter(_texts(value)), None))
        elif kind == "textarea":
            texts += [text if name == "comment" else f"{name}: {text}" for text in _texts(value)]
        elif kind not in NAMING:
            reading.unread[f"results of the control {name} ({plain_text(str(kind))[:40]}) are not read"] += 1
    seconds: Any = raw.get("lead_time")
    usable = isinstance(seconds, (int, float)) and not isinstance(seconds, bool) and 0 <= seconds < 1e9  # nor nan
    changed = raw.get("updated_at") if ref is not None else None
    texts += [comment] if (comment := _text(raw.get("comment"), 10**6)) else []
    if len("\n".join(texts)) > LONGEST_COMMENT:
        reading.found.skip(where, f"has a comment of more than {LONGEST_COMMENT} characters: its end was left out")
    return _Annotation(
        None if chosen is None else tuple(dict.fromkeys(chosen)),
        (_text("\n".join(texts), LONGEST_COMMENT) or ""),
        ref,
        (_annotator(raw.get("updated_by")) if ref is not None else None) or annotator,
        instant(changed) or instant(raw.get("created_at")),
        float(seconds) if usable else None,
        raw.get("was_cancelled") is True,
        raw.get("ground_truth") is True,
    )


def _chosen(value: Mapping[str, Any], names: Mapping[tuple[str, ...], str]) -> list[str]:
    """The names of all choices; of a taxonomy the deepest of each path, with what tells it from another of its name."""
    choices = value.get("choices")
    chosen = [name for one in listed(choices) if (name := _text(one, 300)) is not None]
    return chosen + [names.get(path, path[-1]) for path in _paths(value)]


def _paths(value: Mapping[str, Any]) -> list[tuple[str, ...]]:
    paths = [path for path in map(as_list, as_list(value.get("taxonomy")) or ()) if path]
    found = [[_text(step, 300) for step in path] for path in paths]
    return [tuple(step for step in path if step) for path in found if all(path)]


def _texts(value: Mapping[str, Any]) -> list[str]:
    return [one for one in listed(value.get("text")) if isinstance(one, str) and one.strip()]


def _annotator(who: Any) -> str | None:
    """A name for the number, e-mail address or record by which Label Studio knows a person."""
    record = as_object(who)
    if record is not None:
        who = record.get("email") or record.get("username") or record.get("id")
    if isinstance(who, int) and not isinstance(who, bool):
        return f"label-studio-{who % 10**12}"
    return _text(who, LONGEST_ANNOTATOR)


def _text(value: Any, longest: int) -> str | None:
    if not isinstance(value, str) or "\0" in value:
        return None
    return plain_text(value.strip(), "\n\t")[:longest] or None


def _whole(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _name(result: Mapping[str, Any]) -> str:
    return str(result.get("from_name") or "")[:100]


def _objects(value: object) -> list[dict[str, Any]]:
    return [entry for entry in map(as_object, as_list(value) or ()) if entry is not None]


def listed(value: object) -> list[Any]:
    """All in a list, or the only one where it is none."""
    several = as_list(value)
    return [value] if several is None else several
