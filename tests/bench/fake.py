"""A server just large enough to measure the generator: accepts every log-in, forwards writes, remembers values."""

from __future__ import annotations

import asyncio
import datetime
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from vpin_protocol import (
    AppDecoder,
    Frame,
    HardwareDecoder,
    app_frame,
    app_response,
    hardware_frame,
    hardware_response,
)

from vpin.bench.client import Target


class Account:
    def __init__(self, number: int) -> None:
        self.number = number
        self.app: Session | None = None
        self.devices: list[Session] = []
        self.boards: list[dict] = []
        self.value = b""


class Fake:
    def __init__(self) -> None:
        self.accounts: list[Account] = []
        self.drop_every = 0  # loses each n-th frame to an app
        self.swallow_login = False
        self.forwarded = 0

    def by_token(self, token: str) -> Account:
        return self.accounts[int(token.split("-")[0])]

    def http(self, request: bytes) -> bytes:
        head, _, body = request.partition(b"\r\n\r\n")
        path = head.split()[1].decode().split("/")
        account = self.by_token(path[1])
        if path[2] == "update":
            account.value = body
            body = b""
        else:
            body = account.value
        return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)


class Session(asyncio.Protocol):
    def __init__(self, fake: Fake, app: bool) -> None:
        self.fake, self.is_app = fake, app
        self.decoder = AppDecoder() if app else HardwareDecoder()
        self.account: Account | None = None
        self.forwarded: list[bytes] = []
        self.touched: set[Session] = set()
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if not self.is_app and data[:4] in (b"GET ", b"PUT "):
            self.transport.write(self.fake.http(data))
            return
        handle = self.app_frame if self.is_app else self.device_frame
        self.transport.write(b"".join([handle(frame) for frame in self.decoder.feed(data)]))
        for session in self.touched:
            session.transport.write(b"".join(session.forwarded))
            session.forwarded.clear()
        self.touched.clear()

    def forward(self, frame: bytes, to: Session) -> None:
        to.forwarded.append(frame)
        self.touched.add(to)

    def device_frame(self, frame: Frame) -> bytes:
        fake = self.fake
        if frame.command == 29:
            if fake.swallow_login:
                return hardware_response(frame.message_id, 9)
            self.account = fake.by_token(frame.body.decode())
            self.account.devices.append(self)
        elif frame.command == 20:
            assert self.account is not None
            assert self.account.app is not None
            self.account.value = frame.body.split(b"\0", 2)[2]
            fake.forwarded += 1
            if not fake.drop_every or fake.forwarded % fake.drop_every:
                self.forward(app_frame(20, frame.message_id, b"1-0\0" + frame.body), self.account.app)
            return b""
        return hardware_response(frame.message_id, 200)

    def app_frame(self, frame: Frame) -> bytes:
        if frame.command == 1:
            self.account = Account(len(self.fake.accounts))
            self.account.app = self
            self.fake.accounts.append(self.account)
            return app_response(frame.message_id, 200)
        account = self.account
        assert account is not None
        match frame.command:
            case 42:
                board = json.loads(frame.body.split(b"\0", 1)[1])
                account.boards.append({**board, "token": f"{account.number}-{board['id']}"})
                return app_frame(42, frame.message_id, json.dumps(account.boards[-1]).encode())
            case 45:
                return app_frame(45, frame.message_id, json.dumps(account.boards).encode())
            case 25:
                value = app_frame(25, 1111, b"1-0\0vw\x001\0" + account.value) if account.value else b""
                return app_response(frame.message_id, 200) + value
            case 20:
                body = frame.body.split(b"\0", 1)[1]
                account.value = body.split(b"\0", 2)[2]
                for device in account.devices:
                    self.forward(hardware_frame(20, frame.message_id, body), device)
                return b"" if account.devices else app_response(frame.message_id, 7)
            case _:
                return app_response(frame.message_id, 200)


@contextmanager
def running(fake: Fake, folder: Path) -> Iterator[Target]:
    """Serve in a thread of its own until the block ends."""
    loop = asyncio.new_event_loop()
    started: list[tuple[str, int]] = []
    ready, stop = threading.Event(), asyncio.Event()

    async def serve() -> None:
        plain = await loop.create_server(lambda: Session(fake, False), "127.0.0.1", 0, backlog=1000)
        tls = await loop.create_server(lambda: Session(fake, True), "127.0.0.1", 0, ssl=_context(folder))
        started.extend(server.sockets[0].getsockname() for server in (plain, tls))
        ready.set()
        await stop.wait()
        for server in (plain, tls):
            server.close()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(10)
        yield Target(http=started[0], app=started[1], hardware=started[0])
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)


def _context(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(days=1))
    pem = folder / "fake.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    return context
