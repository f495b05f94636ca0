"""`python app.py` serves the page; this is also what a Hugging Face Space runs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from fgdemo.errors import FgdemoError
from fgdemo.settings import Settings
from fgdemo.ui.serve import serve

if TYPE_CHECKING:
    from fgdemo.bootstrap import Services


def load(settings: Settings) -> Services:
    from fgdemo.bootstrap import build_services  # torch and timm are imported while the page is already there

    return build_services(settings)


if __name__ == "__main__":
    try:
        serve(Settings.from_env(), load)
    except FgdemoError as error:
        sys.exit(str(error))
