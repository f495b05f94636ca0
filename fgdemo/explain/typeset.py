"""Setting text with Pillow, in the page's own type family."""

from functools import lru_cache
from pathlib import Path

from PIL import ImageDraw, ImageFont, features

from fgdemo.explain.fallback import Font, lacking, setting
from fgdemo.values.bidi import FIRST_STRONG, POP

FONTS = Path(__file__).parents[1] / "web" / "static" / "fonts"


@lru_cache(maxsize=32)
def font(size: int, weight: int = 400, italic: bool = False) -> Font:
    """The page's own type family; where Pillow cannot read it, the one that comes with Pillow."""
    try:
        face = ImageFont.truetype(FONTS / ("plex-sans-italic.woff2" if italic else "plex-sans.woff2"), size)
        face.set_variation_by_axes([weight])
    except OSError:
        return ImageFont.load_default(size)
    return face


def signed(value: float, digits: int = 1) -> str:
    """`+2.1`, `−0.4`, `0.0`: with a real minus sign, and no sign on what rounds to zero."""
    text = f"{abs(value):.{digits}f}"
    return text if not float(text) else ("+" if value > 0 else "−") + text


def drawable(text: str) -> str:
    """What Pillow can set: only with Raqm does it know in which order text is read, and what says so has no look."""
    return text if features.check("raqm") else text.replace(FIRST_STRONG, "").replace(POP, "")


def run(draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, face: Font, colour: str) -> float:
    """Set text and return where it ends; another typeface than the given one stands on the same line."""
    text = drawable(text)
    used = setting(text, face)
    draw.text((at[0], at[1] + _ascent(face) - _ascent(used)), text, fill=colour, font=used)
    return at[0] + used.getlength(text)


def right(draw: ImageDraw.ImageDraw, x: float, y: float, text: str, face: Font, colour: str) -> None:
    draw.text((x, y), drawable(text), fill=colour, font=face, anchor="ra")


def length(text: str, face: Font) -> float:
    """How many pixels wide a text will be."""
    text = drawable(text)
    return setting(text, face).getlength(text)


def fitted(text: str, face: Font, room_px: float) -> str:
    """The text, or as much of it as fits, with an ellipsis."""
    text = drawable(text)
    used = setting(text, face)
    if used.getlength(text) <= room_px:
        return text
    while text and used.getlength(text + "…") > room_px:
        text = text[:-1]
    return text.rstrip() + "…"


def wrapped(text: str, face: Font, room_px: float) -> list[str]:
    lines = [""]
    for word in drawable(text).split():
        longer = f"{lines[-1]} {word}".strip()
        if length(longer, face) > room_px and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def has_boxes(text: str, face: Font) -> bool:
    """Whether no typeface of this machine has all letters of a text."""
    text = drawable(text)
    return bool(lacking(text, setting(text, face)))


def _ascent(face: Font) -> int:
    return face.getmetrics()[0] if isinstance(face, ImageFont.FreeTypeFont) else 0
