"""Delivers notification jobs from the durable queue: mail now, other channels as providers are added."""
