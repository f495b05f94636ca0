"""Labelling sessions: what is asked, answered, learned and undone."""
