"""A workspace as JSON records: what an export writes and an import believes."""
