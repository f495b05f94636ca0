"""Verbs about a workspace: who may enter, whether it is whole, its mirror."""
