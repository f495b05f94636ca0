"""Pictures and answers into a workspace, and out of it."""
