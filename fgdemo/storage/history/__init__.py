"""The append-only log of what was said about pictures, and what follows from it."""
