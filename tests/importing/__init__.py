"""The import of old data folders."""
