"""Verbs about pictures and labels: import, export, suspects."""
