"""Maps of several methods as small multiples under the sheet: one scale rule, and what says nothing is said so."""

import numpy as np
from PIL import Image, ImageDraw

from fgdemo.explain.overlay import over, signed_layer
from fgdemo.explain.sheet import GROUND, GUTTER, INK, LINE, MARGIN, PANEL, SOFT, WIDTH
from fgdemo.explain.typeset import font, right, run, wrapped
from fgdemo.values.batches import batches
from fgdemo.values.evidence import as_drawn, strongest
from fgdemo.values.methods import TITLES, MethodMap, MethodMaps

COLUMNS = 4
CAPTION = 76


def with_methods(sheet: Image.Image, picture: Image.Image, found: MethodMaps, is_sum: bool = True) -> Image.Image:
    """The sheet with the maps below it, a row of four. `picture`: as for the sheet; `is_sum`: the evidence is exact."""
    crop = picture.convert("RGB")
    height = min(max(round(PANEL * crop.height / crop.width), PANEL // 2), round(PANEL * 1.4))
    own = [one for one in found.maps if one.same_as is None]
    lines = list(batches(own, COLUMNS))
    drawn = Image.new("RGB", (WIDTH, sheet.height + 100 + len(lines) * (height + CAPTION) + 16), GROUND)
    drawn.paste(sheet, (0, 0))
    draw = ImageDraw.Draw(drawn)
    top = sheet.height
    draw.line((MARGIN, top, WIDTH - MARGIN, top), fill=LINE)
    run(draw, (MARGIN, top + 20), "Methods", font(20, 600), INK)
    for place, line in enumerate(wrapped(found.sentence, font(15), WIDTH - 2 * MARGIN)[:2]):
        draw.text((MARGIN, top + 50 + 20 * place), line, fill=SOFT, font=font(15))
    top += 100
    muted = Image.blend(crop, crop.convert("L").convert("RGB"), 0.45)
    for line in lines:
        for column, one in enumerate(line):
            left = MARGIN + column * (PANEL + GUTTER)
            _panel(drawn, draw, (left, top), (PANEL, height), muted, one, found, " log-odds" if is_sum else "")
        top += height + CAPTION
    return drawn


def _panel(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    at: tuple[int, int],
    size: tuple[int, int],
    muted: Image.Image,
    one: MethodMap,
    found: MethodMaps,
    own_unit: str,
) -> None:
    values = np.reshape(one.values, found.grid)
    top = strongest(values)
    scale = ("a", "b") if one.asks == "contrast" else ("evidence", "against")
    shown = as_drawn(values, one.spread)
    sheet.paste(over(muted, signed_layer(shown, size, strongest(shown).peak, *scale)), at)
    line = at[1] + size[1] + 8
    same = [TITLES[other.method] for other in found.maps if other.same_as == one.method]
    run(draw, (at[0], line), " = ".join([one.title, *same]), font(16, 600), INK)
    if one.trust is not None:
        right(draw, at[0] + PANEL, line, f"trust {one.trust.score:.2f}".replace("-", "−"), font(15, 600), INK)
    unit = own_unit if one.method in ("evidence", "contrast") else ""
    said = "No positive evidence." if top.value <= 0 else f"strongest {top.value:.3g}{unit}."
    asks = {"class": "", "contrast": "", "picture": " It knows no class."}[one.asks]
    run(draw, (at[0], line + 26), said + asks, font(14), SOFT)
