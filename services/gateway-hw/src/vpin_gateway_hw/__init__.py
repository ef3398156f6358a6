"""Gateway of the boards."""
