"""Imports, exports and the mirror, run in the background."""
