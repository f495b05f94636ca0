"""What Gradio's own widgets need to look like ours; the colours themselves live in `static/shared/base.css`."""

from gradio.themes import Base, Font

GROUND, GROUND_DARK = "#f5f6f4", "#101413"
INK, INK_DARK = "#14191a", "#e9eeeb"
FONTS = ("Plex Sans", "Segoe UI", "system-ui", "Helvetica Neue", "Arial", "sans-serif")


def theme() -> Base:
    """Given as plain names, fonts are never fetched from another host."""
    return Base(
        font=[Font(name) for name in FONTS],
        font_mono=[Font(name) for name in ("ui-monospace", "Consolas", "monospace")],
    ).set(
        body_background_fill=GROUND,
        body_background_fill_dark=GROUND_DARK,
        body_text_color=INK,
        body_text_color_dark=INK_DARK,
        block_border_width="0px",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        layout_gap="0px",
    )
