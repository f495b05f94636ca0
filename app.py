"""`python app.py` serves the page; this is also what a Hugging Face Space runs."""

import sys

from fgdemo.cli import main

if __name__ == "__main__":
    sys.exit(main(["serve"]))
