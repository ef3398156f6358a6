"""Hostile boards against a running server: `make fuzz`, and a short form among the integration tests."""
