"""fgdemo: see why a fine-grained classifier says A and not B, and correct it where you see it."""

__version__ = "0.2.0"
