"""How the server stands, and what is done every now and then."""
