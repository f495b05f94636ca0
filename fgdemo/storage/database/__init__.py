"""The database: opened, migrated, and waited for, be it SQLite or PostgreSQL."""
