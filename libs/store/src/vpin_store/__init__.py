"""Tables, migrations and repositories on PostgreSQL and SQLite."""
