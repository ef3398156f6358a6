"""Real parts for tests and for `make suite`: RabbitMQ, PostgreSQL, HAProxy, started privately on free loopback ports.

Where a part comes from, first that works: an address in the environment, a Docker engine, the binaries of this machine,
the package manager (as root). A part that cannot be had is an error that says what to do: never a silent skip.
"""
