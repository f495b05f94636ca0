"""One printable sheet that says what a picture shows and why: the Classify page on paper."""

import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from fgdemo.explain.overlay import over, parts_layer, scale_strip, signed_layer
from fgdemo.explain.typeset import Font, fitted, font, has_boxes, length, right, run, signed, wrapped
from fgdemo.values.bidi import isolated
from fgdemo.values.classification.answers import Classification, FineMap, PartView, PossibleKind
from fgdemo.values.evidence import Split, Strongest, as_drawn, both_sides, contrast_map, shares_of, split, strongest
from fgdemo.values.types import Trust

WIDTH = 1600
MARGIN, GUTTER, PANEL = 56, 24, 354
GROUND, INK, SOFT, LINE, TRACK = "#F5F6F4", "#14191A", "#566063", "#D5DAD7", "#E3E7E4"
A_TEXT, B_TEXT, A_BAR, B_BAR, NEUTRAL = "#1A5FBF", "#B85200", "#3F84DD", "#E07A1F", "#8A9492"
NO_SUM = "The head of this model is no sum over places, so no bars add up to its answer. See where Grad-CAM looks."
SET_LINES = 3
"""So many lines has the prediction set."""
BACKGROUND_COLOUR = "#AEB6B3"


@dataclass(frozen=True)
class _Row:
    """One line of the part bars."""

    name: str
    colour: str
    value: float


def explain_sheet(
    classification: Classification,
    picture: Image.Image,
    trust: Mapping[str, Trust] | None = None,
    fine: Mapping[str, FineMap] | None = None,
) -> Image.Image:
    """Draw the sheet: the picture, the class map of A, A versus B, the parts, bars with numbers, the sentences.

    Args:
        picture: what was classified, upright: the whole picture, or the part of it in the crop box.
        trust: of the maps "class" and "contrast", where it was measured.
        fine: the same maps as they are drawn (`Maps.spread`); those that are left out are drawn place by place.

    Returns:
        An RGB picture, 1600 pixels wide.
    """
    a, b = _candidate(classification, classification.asked), _candidate(classification, classification.rival)
    map_a, map_b = (np.reshape(candidate.evidence, classification.grid) for candidate in (a, b))
    crop = picture.convert("RGB")
    height = min(max(round(PANEL * crop.height / crop.width), PANEL // 2), round(PANEL * 1.4))
    sheet = Image.new("RGB", (WIDTH, 1400), GROUND)
    draw = ImageDraw.Draw(sheet)
    top = _header(draw, classification)
    _panels(sheet, draw, top, (PANEL, height), crop, classification, (a, b), (map_a, map_b), trust or {}, fine or {})
    top += height + 132
    draw.line((MARGIN, top, WIDTH - MARGIN, top), fill=LINE)
    why = split(contrast_map(map_a, map_b), a.bias - b.bias, shares_of(classification.parts, classification.grid))
    left_end = _part_bars(draw, (MARGIN, top + 30), 2 * PANEL + GUTTER, classification, (a, b), why)
    right_end = _class_bars(draw, (MARGIN + 2 * (PANEL + GUTTER), top + 30), 2 * PANEL + GUTTER, classification)
    return sheet.crop((0, 0, WIDTH, _footer(draw, max(left_end, right_end) + 20, classification)))


def _candidate(classification: Classification, taxon: str) -> PossibleKind:
    return next(candidate for candidate in classification.candidates if candidate.taxon == taxon)


def _header(draw: ImageDraw.ImageDraw, classification: Classification) -> int:
    """The answer and the taxonomy path; returns where the panels begin."""
    sentence = fitted(classification.answer.sentence, font(34, 600), WIDTH - 2 * MARGIN)
    run(draw, (MARGIN, 40), sentence, font(34, 600), INK)
    x = float(MARGIN)
    for step, taxon in enumerate(classification.path):
        x = run(draw, (x, 92), ("  ›  " if step else "") + isolated(taxon.name), font(18), SOFT)
    if classification.path and classification.path[-1].latin:
        x = run(draw, (x, 92), f"   {classification.path[-1].latin}", font(18, italic=True), SOFT)
    run(draw, (x, 92), f"    ·    {classification.unknown.sentence}" if classification.unknown else "", font(18), SOFT)
    return 136


def _panels(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    top: int,
    size: tuple[int, int],
    crop: Image.Image,
    classification: Classification,
    pair: tuple[PossibleKind, PossibleKind],
    maps: tuple[np.ndarray, np.ndarray],
    trust: Mapping[str, Trust],
    fine: Mapping[str, FineMap],
) -> None:
    a, b = pair
    contrast = contrast_map(*maps)
    shown = as_drawn(maps[0], fine.get("class")), as_drawn(contrast, fine.get("contrast"))
    most = [strongest(one) for one in shown]
    lefts = [MARGIN + column * (PANEL + GUTTER) for column in range(4)]
    class_full, contrast_full = (one.peak for one in most)
    grey = crop.convert("L").convert("RGB")
    muted = Image.blend(crop, grey, 0.45)
    pictures = (
        crop.resize(size, Image.Resampling.LANCZOS),
        over(muted, signed_layer(shown[0], size, class_full)),
        over(muted, signed_layer(shown[1], size, contrast_full, "a", "b")),
        over(crop, parts_layer(classification.parts, classification.grid, size), 1.0),
    )
    for left, drawn in zip(lefts, pictures, strict=True):
        sheet.paste(drawn, (left, top))
    for left, place, one in zip(lefts[1:3], most, shown, strict=True):
        if place.value > 0:
            _peak(draw, place, one.shape, (left, top), size)

    line = top + size[1] + 12
    what = "The crop box" if classification.box else "The picture"
    _caption(draw, (lefts[0], line), ((what, INK),), f"{classification.width_px} × {classification.height_px} px")
    speaks_for, speaks_against = both_sides(maps[0])
    if most[0].value > 0:
        said = f"for {signed(speaks_for)}   against {signed(speaks_against)}"
    else:
        said = "No positive evidence: nothing here speaks for it."
    title = "Evidence for " if classification.is_sum else "Grad-CAM for "
    _caption(draw, (lefts[1], line), ((title, INK), (a.name, A_TEXT)), said, trust.get("class"))
    speaks_for, speaks_against = both_sides(contrast)
    said = f"for A {signed(speaks_for)}   for B {signed(-speaks_against)}"
    _caption(draw, (lefts[2], line), ((a.name, A_TEXT), (" or ", SOFT), (b.name, B_TEXT)), said, trust.get("contrast"))
    for left, full, names in ((lefts[1], class_full, ("evidence", "against")), (lefts[2], contrast_full, ("a", "b"))):
        _scale(sheet, draw, (left, line + 78), full, names, " log-odds a place" if classification.is_sum else "")
    said = "Each place is shared out among them." if classification.parts else "It knows no parts of such a thing."
    _caption(draw, (lefts[3], line), (("Parts", INK),), said)
    _legend(draw, (lefts[3], line + 56), classification.parts)


def _caption(
    draw: ImageDraw.ImageDraw,
    at: tuple[int, int],
    title: Sequence[tuple[str, str]],
    said: str,
    trust: Trust | None = None,
) -> None:
    x, room = float(at[0]), float(PANEL)
    for place, (text, colour) in enumerate(title):
        later = sum(length(rest, font(17, 600)) for rest, _ in title[place + 1 :])
        text = fitted(text, font(17, 600), max(room - min(later, room / 2), 40))
        room -= length(text, font(17, 600))
        x = run(draw, (x, at[1]), text, font(17, 600), colour)
    x = run(draw, (float(at[0]), at[1] + 27), said, font(15), SOFT)
    if trust is not None:
        right(draw, at[0] + PANEL, at[1] + 27, f"trust {trust.score:.2f}".replace("-", "−"), font(15, 600), INK)


def _scale(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, at: tuple[int, int], full: float, names: tuple[str, str], unit: str
) -> None:
    """The colour scale with the values at its ends, each of one place of the grid."""
    strip = scale_strip((PANEL, 8), *names)
    sheet.paste(strip, at, strip)
    draw.rectangle((at[0], at[1], at[0] + PANEL - 1, at[1] + 8), outline=LINE)
    digits = 3 if full < 0.1 else 2
    draw.text((at[0], at[1] + 13), signed(-full, digits), fill=SOFT, font=font(13))
    draw.text((at[0] + PANEL // 2, at[1] + 13), "0", fill=SOFT, font=font(13), anchor="ma")
    right(draw, at[0] + PANEL, at[1] + 13, f"{signed(full, digits)}{unit}", font(13), SOFT)


def _legend(draw: ImageDraw.ImageDraw, at: tuple[int, int], parts: Sequence[PartView]) -> None:
    x, y = at
    for part in parts:
        width = 22 + round(length(part.name, font(14))) + 16
        if x + width > at[0] + PANEL:
            x, y = at[0], y + 23
        draw.rectangle((x, y + 4, x + 13, y + 15), fill=part.colour)
        run(draw, (x + 20, y), part.name, font(14), SOFT)
        x += width


def _peak(
    draw: ImageDraw.ImageDraw, place: Strongest, grid: tuple[int, ...], at: tuple[int, int], size: tuple[int, int]
) -> None:
    """A ring around the place where the map is highest."""
    x = at[0] + (place.column + 0.5) / grid[1] * size[0]
    y = at[1] + (place.row + 0.5) / grid[0] * size[1]
    draw.ellipse((x - 9, y - 9, x + 9, y + 9), outline="#000000", width=4)
    draw.ellipse((x - 8, y - 8, x + 8, y + 8), outline="#FFFFFF", width=2)


def _part_bars(
    draw: ImageDraw.ImageDraw,
    at: tuple[int, int],
    width: int,
    classification: Classification,
    pair: tuple[PossibleKind, PossibleKind],
    why: Split,
) -> int:
    """Which part decided; returns the lowest line used. The bars sum to the difference of the two logits; where the
    head is no sum there are none."""
    x, y = at
    parts = classification.parts
    rows = [_Row(part.name, part.colour, value) for part, value in zip(parts, why.parts, strict=True)]
    places = "background" if parts else "all places"
    rows += [_Row(places, BACKGROUND_COLOUR, why.background), _Row("starting point", GROUND, why.base)]
    total = why.total
    end = run(draw, (float(x), y), "Which part decided" if parts else "What decided", font(20, 600), INK)
    run(draw, (end + 16, y + 3), fitted(_verdict(*pair, total), font(16), x + width - end - 16), font(16), SOFT)
    if not classification.is_sum:
        for line in wrapped(NO_SUM, font(16), width - 40):
            run(draw, (x, y + 44), line, font(16), SOFT)
            y += 24
        return y + 44
    full = max(max(abs(row.value) for row in rows), 1e-9)
    zero, reach = x + 400, 190
    y += 44
    draw.line((zero, y - 4, zero, y + 31 * len(rows) - 3), fill=LINE)
    for row in rows:
        draw.rectangle((x, y + 5, x + 13, y + 17), fill=row.colour, outline=None if row.colour != GROUND else LINE)
        run(draw, (x + 24, y), fitted(row.name, font(16), 170), font(16), INK)
        tip = zero + reach * row.value / full
        draw.rectangle((min(zero, tip), y + 4, max(zero, tip), y + 18), fill=A_BAR if row.value > 0 else B_BAR)
        colour = A_TEXT if row.value > 0 else B_TEXT
        right(draw, x + width - 40, y, signed(row.value), font(16, 600), colour)
        y += 31
    draw.line((x, y + 2, x + width - 40, y + 2), fill=LINE)
    draw.text((x + 24, y + 9), "together", fill=INK, font=font(16, 600))
    right(draw, x + width - 40, y + 9, signed(total), font(16, 600), A_TEXT if total > 0 else B_TEXT)
    return y + 38


def _verdict(a: PossibleKind, b: PossibleKind, total: float) -> str:
    ahead, behind = (a, b) if total >= 0 else (b, a)
    times = np.exp(min(abs(total), 20.0))
    if times < 1.1:
        return f"{isolated(a.name)} and {isolated(b.name)} are as likely as each other"
    how = f"{times:.1f}" if times < 10 else f"{float(f'{times:.2g}'):,.0f}" if times < 1e6 else "over a million"
    return f"{isolated(ahead.name)} is {how} times likelier than {isolated(behind.name)}"


def _class_bars(draw: ImageDraw.ImageDraw, at: tuple[int, int], width: int, classification: Classification) -> int:
    """The likeliest taxa with their probabilities; returns the lowest line used."""
    x, y = at
    draw.text((x, y), "What it could be", fill=INK, font=font(20, 600))
    y += 44
    colours = {classification.asked: A_BAR, classification.rival: B_BAR}
    for candidate in sorted(classification.candidates, key=lambda c: -c.prob)[:6]:
        name = fitted(candidate.name, font(16), 250)
        end = run(draw, (float(x), y), name, font(16), INK)
        if candidate.latin:
            latin = fitted(candidate.latin, font(15, italic=True), x + 400 - end - 20)
            run(draw, (end + 8, y + 1), latin, font(15, italic=True), SOFT)
        draw.rectangle((x + 410, y + 4, x + width - 70, y + 18), fill=TRACK)
        tip = x + 410 + (width - 480) * candidate.prob
        draw.rectangle((x + 410, y + 4, tip, y + 18), fill=colours.get(candidate.taxon, NEUTRAL))
        right(draw, x + width, y, f"{100 * candidate.prob:.1f} %", font(16), INK)
        y += 31
    sure = classification.caveat
    if classification.coverage is not None:
        sure = f"With {classification.coverage:.0%} certainty one of: ".replace("%", " %", 1)
    names = [isolated(taxon.name) for taxon in classification.prediction_set]
    for line in _as_many_as_fit(sure, names, font(15), width) if names else wrapped(sure, font(15), width)[:6]:
        run(draw, (x, y + 9), line, font(15), SOFT)
        y += 22
    return y + 16


def _as_many_as_fit(head: str, names: Sequence[str], face: Font, room_px: float) -> list[str]:
    """Lines of names, in their order, and how many more there are: never cut off without a word."""

    def lines_of(shown: int) -> list[str]:
        more = f" and {len(names) - shown:,} more" if shown < len(names) else ""
        return wrapped(head + ", ".join(names[:shown]) + more, face, room_px)

    if len(lines_of(len(names))) <= SET_LINES:
        return lines_of(len(names))
    most = bisect.bisect_right(range(1, len(names)), SET_LINES, key=lambda shown: len(lines_of(shown)))
    return lines_of(max(most, 1))[:SET_LINES]


def _footer(draw: ImageDraw.ImageDraw, top: int, classification: Classification) -> int:
    draw.line((MARGIN, top, WIDTH - MARGIN, top), fill=LINE)
    units = "Evidence and bars are log-odds and add up exactly: +0.7 doubles the odds. "
    text = (
        f"{units if classification.is_sum else ''}Trust: insertion − deletion, 0 is random, 1 is best."
        f"   ·   {classification.model_version}   ·   picture {classification.image_id[:12]}"
    )
    if any(has_boxes(name, font(13)) for name in _names(classification)):
        text += "   ·   A box is a letter that no typeface of this server has."
    for line in wrapped(text, font(13), WIDTH - 2 * MARGIN):
        draw.text((MARGIN, top + 14), line, fill=SOFT, font=font(13))
        top += 20
    return top + 32


def _names(classification: Classification) -> set[str]:
    """All that people have named, as far as the sheet may show it."""
    taxa = (*classification.path, *classification.candidates, *classification.prediction_set)
    names = (classification.answer.sentence, *(part.name for part in classification.parts))
    return {*names, *(taxon.name for taxon in taxa), *(taxon.latin or "" for taxon in taxa)}
