"""A page a module: its markup, and the questions it may ask the server."""
