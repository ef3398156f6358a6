"""What vpin keeps, taken elsewhere: backups of the database, and accounts in the form of the old server."""
