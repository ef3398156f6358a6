"""The asynchronous clients; make_sync.py makes the others of them."""
