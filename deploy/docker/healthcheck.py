#!/opt/vpin/bin/python3 -IS
"""Health of this container's process: 0 when its own port answers 200 to GET /healthz (or to the page given), else 1.

Runs every few seconds beside every service, so it imports next to nothing.
"""

import os
import socket
import sys


def main() -> int:
    page = sys.argv[1] if len(sys.argv) > 1 else "healthz"
    port = int(os.environ["VPIN_OPS"].rpartition(":")[2])
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=4) as connection:
            connection.sendall(f"GET /{page} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
            answer = connection.makefile("rb").read(4096)
    except OSError as error:
        sys.stdout.write(f"port {port}: {error}")
        return 1
    head, _, body = answer.partition(b"\r\n\r\n")
    sys.stdout.write(body.decode(errors="replace"))
    return 0 if head.split(b" ")[1:2] == [b"200"] else 1


sys.exit(main())
