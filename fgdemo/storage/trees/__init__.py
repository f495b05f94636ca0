"""Files that lie together, in a folder, a zip or a tar, under one kind of name."""
