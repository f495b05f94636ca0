"""A new classifier, from the live one and the labels as they are now."""
