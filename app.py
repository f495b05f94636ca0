"""`python app.py` serves the page; this is also what a Hugging Face Space runs."""

import sys

from fgdemo.bootstrap import launch
from fgdemo.errors import FgdemoError
from fgdemo.settings import Settings

if __name__ == "__main__":
    try:
        launch(Settings.from_env())
    except FgdemoError as error:
        sys.exit(str(error))
