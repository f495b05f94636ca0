"""Writing to this disk so that it is whole, durable and safe, and reading back what somebody else may have written."""
