"""Client sessions of the gateways: connections, framing, log-in, slabs."""
