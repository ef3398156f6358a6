"""Handlers by topic: one function for one command of one side."""
