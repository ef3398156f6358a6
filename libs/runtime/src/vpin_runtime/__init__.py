"""Settings, logs, metrics, health and the life cycle that all services share."""
