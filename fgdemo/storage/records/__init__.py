"""A workspace as JSON records, for exports, imports and mirrors alike: read, written and merged in one way."""
