"""A copy of the workspace elsewhere: what is new is sent, nothing sent is changed."""
