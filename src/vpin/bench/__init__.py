"""Load generator for users: against any server that speaks the device protocol, over its sockets only."""
