"""What models saw in the pictures of a workspace."""
