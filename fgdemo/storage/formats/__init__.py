"""What others write, read rightly: each source of labelled pictures, and who reads it."""
