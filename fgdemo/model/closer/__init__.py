"""A second view of the same picture: what was learned of both together, and how they answer."""
