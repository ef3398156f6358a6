"""An HTTP service that keeps each request byte for byte and answers as a test says."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Self


class Fake:
    """`answers`: (status, JSON) to come, used up from the front; then `usual`. `requests` are raw bytes."""

    def __init__(self, usual: tuple[int, Any] = (200, {})) -> None:
        self.usual = usual
        self.answers: list[tuple[int, Any]] = []
        self.requests: list[bytes] = []
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        assert self._server is not None
        self._server.close()
        for client in self._clients:
            client.close()
        await self._server.wait_closed()

    @property
    def address(self) -> str:
        assert self._server is not None
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
                )
                self.requests.append(head + await reader.readexactly(length))
                status, answer = self.answers.pop(0) if self.answers else self.usual
                if status == 0:  # hang up without an answer
                    return
                body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._clients.discard(writer)
            writer.close()


def request(line: str, address: str, headers: list[str], body: bytes = b"") -> bytes:
    """What a client of ours must send, byte for byte."""
    common = ["Accept: */*", "Connection: keep-alive", "User-Agent: vpin", "Accept-Encoding: identity"]
    size = f"Content-Length: {len(body)}"
    lines = [line, f"Host: {address}", *([] if body else [size]), *common, *headers, *([size] if body else [])]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
