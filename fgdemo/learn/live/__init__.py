"""The model that learns from every answer, and what it asks next."""
