"""`make check-compose`: compose.yaml runs for real, passes the smoke cases, scales, and goes down again.

The engine is the Docker that answers; on a machine without one, root gets a private engine and local stand-ins for the
images, all out of Debian's packages (`engine`, `images`).
"""
