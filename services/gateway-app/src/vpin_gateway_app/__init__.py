"""Gateway of the apps."""
