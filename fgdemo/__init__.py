"""fgdemo: see why a fine-grained classifier says A and not B, and correct it where you see it.

A program may `load` a checkpoint, `fit` one to labelled pictures, and list the `suspects` among labels.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fgdemo.commands.console import load
    from fgdemo.commands.data.suspects import suspects
    from fgdemo.commands.model.fit import fit

__version__ = "0.2.0"
__all__ = ["__version__", "fit", "load", "suspects"]
_PUBLIC = {
    "fit": "fgdemo.commands.model.fit",
    "load": "fgdemo.commands.console",
    "suspects": "fgdemo.commands.data.suspects",
}


def __getattr__(name: str) -> Any:
    """What is public is imported when it is first asked for, so that `import fgdemo` costs nothing."""
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)
