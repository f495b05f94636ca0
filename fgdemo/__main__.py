"""`python -m fgdemo`."""

import sys

from fgdemo.cli import main

sys.exit(main())
