"""`python app.py` serves the page, with the options of `serve`; this is also what a Hugging Face Space runs."""

import sys

from fgdemo.cli import main

if __name__ == "__main__":
    sys.exit(main(["serve", *sys.argv[1:]]))
