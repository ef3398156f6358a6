"""Made by make_sync.py: change _async instead."""
