"""The recipe of a training: its fields and the presets."""

from __future__ import annotations

import ast

from docs.generate import markdown
from docs.generate.code import classes, fields, split

INTRO = """# The recipe

A JSON file with some of these fields changes them: `finetune --recipe changes.json`, `fit --recipe changes.json`, for
instance `{"replay": 0.5, "framing": {"light": 0.1}}`. A field that is not known, and a value of another kind, are
refused in a sentence.

## Presets

"""


def page() -> str:
    """docs/reference/recipe.md."""
    ((_, recipe),), ((_, framing),) = classes("Recipe"), classes("Framing")
    parts = [
        markdown.NOTE.format(source="`Recipe` and `Framing`"),
        INTRO,
        markdown.table(("preset", "epochs", "side of the training pictures, px"), _presets()),
        "\n*Head only* (`head`) leaves the network as it is. The others are one recipe at three lengths.\n",
        "\n## Fields\n\n",
        _rows(recipe),
        "\n## Fields of framing\n\n",
        " ".join(split(ast.get_docstring(framing) or "").about.split()) + "\n\n",
        _rows(framing),
    ]
    return "".join(parts)


def _presets() -> list[tuple[str, str, str]]:
    from fgdemo.values.training import LENGTHS

    return [(f"`{name}`", str(length.epochs), str(length.train_px)) for name, length in LENGTHS.items()]


def _rows(node: ast.ClassDef) -> str:
    rows = [
        (f"`{one.name}`", f"`{one.type}`", f"`{one.default}`" if one.default else "by the preset", one.about)
        for one in fields(node)
        if not one.default.startswith("field(")
    ]
    return markdown.table(("field", "type", "default", "what it is"), rows)
