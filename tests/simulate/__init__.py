"""The simulator against private servers."""
