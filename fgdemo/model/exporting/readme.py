"""The card of a checkpoint as Markdown, for a folder that goes elsewhere, as to the Hub.

A card may come from a stranger, so nothing in it is trusted: a text cannot become markup, a field of another shape
than expected is left out.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

FIGURES: Mapping[str, tuple[str, bool]] = {
    "top1": ("Top-1: the likeliest kind is right", True),
    "top5": ("Top-5: right within the five likeliest", True),
    "coverage": ("Prediction sets that hold the right kind", True),
    "set_size": ("Kinds in a prediction set, on average", False),
    "answered_right": ("Right at the level it is sure of", True),
    "answered_leaf": ("… of all pictures, down to the kind", True),
    "ece": ("Calibration error (0 is honest)", False),
    "nll": ("Log loss, nats a picture", False),
    "false_alarms": ("Known kinds called unknown", True),
}
MOST_KINDS, MOST_PAIRS, MOST_FEW = 300, 10, 30


def card_markdown(card: Mapping[str, Any]) -> str:
    """What it knows, how good it is, how it was made, from what, under which terms, and where it ends."""
    parts = [
        f"# {_text(card.get('name', 'A checkpoint of fgdemo'))}",
        *_knows(card),
        *_figures(card),
        *_made(card),
        *_data(card),
        *_limits(card),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _knows(card: Mapping[str, Any]) -> Iterator[str]:
    taxa = [row for row in _list(card.get("taxonomy")) if isinstance(row, Mapping) and row.get("id")]
    parents = {row.get("parent") for row in taxa}
    kinds = [row for row in taxa if row["id"] not in parents]
    if not kinds:
        return
    yield f"## What it knows\n\n{len(kinds)} kinds:"
    named = [_named(row) for row in sorted(kinds, key=lambda row: str(row.get("name", row["id"])))]
    more = f" … and {len(named) - MOST_KINDS} more" if len(named) > MOST_KINDS else ""
    yield ", ".join(named[:MOST_KINDS]) + more + "."
    few = _map(_map(card.get("calibration")).get("few"))
    for number, words in ((1, "one picture, or near-duplicates of one"), (2, "two pictures")):
        listed = [_named(row) for row in kinds if few.get(str(row["id"])) == number]
        if listed:
            rest = f" and {len(listed) - MOST_FEW} more" if len(listed) > MOST_FEW else ""
            yield (
                f"Known from {words}: {', '.join(listed[:MOST_FEW])}{rest}. "
                "How sure it is of them was not measured, and they say nothing about the others."
            )


def _named(row: Mapping[str, Any]) -> str:
    latin = row.get("latin")
    return _text(row.get("name") or row["id"]) + (f" (*{_text(latin)}*)" if latin else "")


def _figures(card: Mapping[str, Any]) -> Iterator[str]:
    metrics = _map(card.get("metrics"))
    rows = [
        f"| {words} | {shown} |"
        for key, (words, share) in FIGURES.items()
        if (shown := _figure(metrics.get(key), share)) is not None
    ]
    rows += [
        f"| Top-1, {_text(group)} | {shown} |"
        for group, value in _map(metrics.get("groups")).items()
        if (shown := _figure(value, True)) is not None
    ]
    if not rows:
        return
    split = {"val": "held-out pictures (val)", "leave-one-out": "training pictures, each left out once"}
    where = split.get(str(metrics.get("split")), "held-out pictures")
    yield f"## How good it is\n\nOn {_text(metrics.get('n', 'some'))} {where}; 95 % intervals:"
    yield "\n".join(("| | |", "|---|---|", *rows))
    names = {str(row.get("id")): row.get("name") for row in _list(card.get("taxonomy")) if isinstance(row, Mapping)}
    pairs = [pair for pair in _list(metrics.get("worst_pairs")) if isinstance(pair, Mapping)][:MOST_PAIRS]
    listed = "\n".join(
        f"- {' / '.join(_text(names.get(str(pair.get(one))) or pair.get(one)) for one in 'ab')}: "
        f"{_text(pair.get('mistaken'))} of {_text(pair.get('of'))}"
        for pair in pairs
    )
    yield f"Most often taken for each other:\n\n{listed}" if listed else ""


def _figure(value: Any, share: bool) -> str | None:
    """A number, or a number with its limits; None for anything else."""
    numbers = value if isinstance(value, list | tuple) else [value]
    if len(numbers) not in (1, 3) or not all(isinstance(x, int | float) and not isinstance(x, bool) for x in numbers):
        return None
    shown = [f"{x:.1%}" if share else f"{x:.3f}" for x in numbers]
    return shown[0] if len(shown) == 1 else f"{shown[0]} ({shown[1]} to {shown[2]})"


def _made(card: Mapping[str, Any]) -> Iterator[str]:
    backbone, recipe = _map(card.get("backbone")), _map(card.get("recipe"))
    lines = []
    if backbone:
        lines.append(f"Backbone {_code(backbone.get('name'))} at {_text(backbone.get('size_px'))} px")
    for key, words in (("start_weights", "Start weights"), ("parent", "Trained from"), ("device", "Trained on")):
        if card.get(key):
            lines.append(f"{words} {_code(card[key])}")
    epochs = card.get("epochs_done") or recipe.get("epochs")
    lines.append(
        f"{_text(f'{epochs:g}' if isinstance(epochs, float) else epochs)} epochs of all layers"
        if epochs
        else "Features as they are; only the closed-form head was fitted"
    )
    blend = _map(card.get("blend"))
    if "trained_share" in blend:
        lines.append(f"Blended with the start weights, trained share {_text(blend['trained_share'])}")
    if card.get("calibrated_on"):
        lines.append(f"Calibrated on {_text(card['calibrated_on'])}")
    yield "## How it was made\n\n" + "\n".join(f"- {line}" for line in lines)
    if recipe:
        flat = {key: value for key, value in recipe.items() if not isinstance(value, Mapping | list)}
        yield "\n".join(
            ("| recipe | |", "|---|---|", *(f"| {_text(key)} | {_text(value)} |" for key, value in flat.items()))
        )
    if card.get("command"):
        yield _block(card["command"])


def _data(card: Mapping[str, Any]) -> Iterator[str]:
    data = _map(card.get("data"))
    if data:
        sources = ", ".join(_text(source) for source in _list(data.get("sources")))
        counts = ", ".join(f"{_text(data[key])} {key}" for key in ("train", "val", "skipped") if key in data)
        yield f"## Data\n\n{f'{sources}: ' if sources else ''}{counts}."
    licences = [_text(line) for line in _list(card.get("licences"))]
    yield "## Terms\n\n" + (
        "\n".join(f"- {line}" for line in licences) if licences else "None are stated: ask whoever made it."
    )


def _limits(card: Mapping[str, Any]) -> Iterator[str]:
    yield (
        "## Limits\n\n"
        "- It knows the kinds above and no others. “Unknown” means unlike its pictures; a close relative may pass.\n"
        "- The figures hold for pictures like those it was measured on.\n"
        "- Maps are exact from tokens to answer. How faithful they are to the pixels is measured for each (trust)."
    )


# --- untrusted text ---------------------------------------------------------------------------------------------


def _text(value: Any) -> str:
    """One line of plain text: whatever means something in Markdown or HTML is written out."""
    line = " ".join(str(value).split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = re.sub(r"([\\`*_{}\[\]()#+!|~$-])", r"\\\1", line)
    # What renderers make links of by themselves.
    return (
        re.sub(r"(?i)(https?|ftp|mailto|javascript|data):", r"\1&#58;", line)
        .replace("www.", "www&#46;")
        .replace("@", "&#64;")
    )


def _code(value: Any) -> str:
    """Text in code type; a backtick in it would end it."""
    return f"`{' '.join(str(value).replace('`', chr(39)).split())}`"


def _block(value: Any) -> str:
    """A code block of one line, fenced by more backticks than are in it."""
    line = " ".join(str(value).split())
    longest = max((len(run) for run in re.findall(r"`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}bash\n{line}\n{fence}"


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
