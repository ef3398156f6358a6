"""What travels on the bus: slabs, entry requests, notification jobs, events."""
