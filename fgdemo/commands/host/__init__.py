"""Verbs about hosting."""
