"""For tests of gateways: a stand-in for the state service, and clients that speak frames."""

from __future__ import annotations

import asyncio
import ssl
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import ClassVar

from vpin_bus import Bus, Consumer, Delivery, Outlet, open_bus
from vpin_messages import entry, slab
from vpin_messages.entry import EntryAnswer, EntryRequest, Grant, Opening
from vpin_messages.queues import ENTRY, instance_queue, shard_queue
from vpin_messages.slab import BOARDS, SETTLE, Down, Up, UpEntry, down_entry, new_sender
from vpin_protocol import (
    AppDecoder,
    Command,
    Frame,
    HardwareDecoder,
    Status,
    app_frame,
    app_response,
    hardware_frame,
    hardware_response,
    split_app,
    split_hardware,
)


@asynccontextmanager
async def owned_bus(shards: int) -> AsyncGenerator[tuple[Bus, Owner]]:
    """A bus in memory with an owner of all shards."""
    bus = open_bus("memory://")
    await bus.open()
    owner = Owner(bus, shards)
    await owner.start()
    try:
        yield bus, owner
    finally:
        await Client.close_all()
        await owner.stop()
        await bus.close()


class Owner:
    """All shards and the entry queue: lets clients in, answers pings, remembers what it heard.

    Who logs in with ``account-N`` as token or e-mail gets into account N, everybody else is refused.
    """

    def __init__(self, bus: Bus, shards: int) -> None:
        self._bus = bus
        self._shards = shards
        self._sender = new_sender()
        self._outlets: dict[bytes, Outlet] = {}
        self._consumers: list[Consumer] = []
        self._changed = asyncio.Event()
        self.requests: list[EntryRequest] = []
        self.events: list[tuple[Up, int]] = []
        """(kind, session) of everything but frames and heartbeats, in order."""
        self.heartbeats = 0
        self.gateways: list[bytes] = []
        """Senders, in the order they were first heard of."""
        self.openings: dict[int, UpEntry] = {}
        self.frames: dict[int, list[tuple[int, int, bytes]]] = defaultdict(list)
        """By session: command, id and body of each frame."""
        self.mute = False
        """Answer no log-ins."""

    async def start(self) -> None:
        self._consumers.append(await self._bus.consume(ENTRY, self._on_entry))
        for shard in range(self._shards):
            self._consumers.append(await self._bus.consume(shard_queue(shard), partial(self._on_slab, shard)))

    async def stop(self) -> None:
        for consumer in self._consumers:
            await consumer.cancel()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return when ``condition()`` holds; it is asked whenever something was heard."""
        async with asyncio.timeout(10):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def tell(self, gateway: bytes, kind: Down, session: int, payload: bytes = b"") -> None:
        """A down entry to a gateway."""
        outlet = self._outlets.get(gateway)
        if outlet is None:
            outlet = self._bus.outlet(instance_queue(gateway), partial(slab.head, self._sender))
            self._outlets[gateway] = outlet
        outlet.add(down_entry(kind, session, payload))

    def _on_entry(self, delivery: Delivery) -> None:
        rest = delivery.body
        while rest:
            size = int.from_bytes(rest[:4], "big")
            batch = entry.decode_batch(rest[4 : 4 + size])
            rest = rest[4 + size :]
            for request in batch.requests:
                self.requests.append(request)
                if not self.mute:
                    self.tell(batch.gateway, Down.ENTRY, request.session, entry.encode(self.answer(request)))
        self._consumers[0].ack(delivery.tag)
        self._changed.set()

    def answer(self, request: EntryRequest) -> EntryAnswer:
        response = hardware_response if request.side in BOARDS else app_response
        if request.command == Command.REGISTER:
            return EntryAnswer(app_response(request.message_id, Status.OK), registered=True, close=request.registered)
        if request.command == Command.GET_SERVER:
            return EntryAnswer(app_frame(Command.GET_SERVER, request.message_id, b"here"))
        name, _, account = request.body.split(b"\0")[0].partition(b"-")
        if name != b"account":
            return EntryAnswer(response(request.message_id, Status.INVALID_TOKEN))
        opening = entry.encode(Opening(request.message_id, request.command, request.address))
        return EntryAnswer(grant=Grant(int(account), 1, 2, 3, opening))

    def _on_slab(self, shard: int, delivery: Delivery) -> None:
        gateway, _ = slab.read_head(delivery.body)
        if gateway not in self.gateways:
            self.gateways.append(gateway)
        for up in slab.up_entries(delivery.body):
            self._on_up(gateway, up)
        self._consumers[1 + shard].ack(delivery.tag)
        self._changed.set()

    def _on_up(self, gateway: bytes, up: UpEntry) -> None:
        if up.kind == Up.HEARTBEAT:
            self.heartbeats += 1
            return
        hardware = up.side in BOARDS
        response = hardware_response if hardware else app_response
        if up.kind != Up.FRAMES:
            self.events.append((Up(up.kind), up.session))
        if up.kind == Up.OPEN:
            self.openings[up.session] = up
            opening = entry.decode_opening(up.payload)
            self.tell(gateway, Down.FRAMES, up.session, response(opening.message_id, Status.OK))
        elif up.kind == Up.FRAMES:
            answers = b""
            for command, message_id, body in (split_hardware if hardware else split_app)(up.payload):
                self.frames[up.session].append((command, message_id, body))
                if command in (Command.PING, SETTLE):
                    answers += response(message_id, Status.OK)
                elif command == Command.HARDWARE_SYNC:  # for tests: sends the body back as often as its first byte says
                    frame = (hardware_frame if hardware else app_frame)(Command.HARDWARE, message_id, body[1:])
                    answers += frame * body[0]
            if answers:
                self.tell(gateway, Down.FRAMES, up.session, answers)


def trusting() -> ssl.SSLContext:
    """A client's context that takes any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Client:
    """A board (``hardware``) or an app on a socket."""

    _open: ClassVar[list[Client]] = []

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, hardware: bool) -> None:
        self.reader = reader
        self.writer = writer
        self._decoder = HardwareDecoder() if hardware else AppDecoder()
        self._frame = hardware_frame if hardware else app_frame
        self._inbox: list[Frame] = []
        Client._open.append(self)

    @staticmethod
    async def close_all() -> None:
        """Close what tests left open: no warnings at the end of the loop."""
        while Client._open:
            client = Client._open.pop()
            client.writer.transport.abort()
            try:
                await client.writer.wait_closed()
            except (ConnectionError, BrokenPipeError, ssl.SSLError):
                pass

    @classmethod
    async def connect(cls, port: int, *, hardware: bool = True, tls: bool = False, first: bytes = b"") -> Client:
        """``first`` is sent at once, before any frame."""
        context = trusting() if tls else None
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        writer.write(first)
        return cls(reader, writer, hardware=hardware)

    def send(self, command: int, message_id: int = 1, body: bytes = b"") -> None:
        self.writer.write(self._frame(command, message_id, body))

    def raw(self, data: bytes) -> None:
        self.writer.write(data)

    async def frame(self, seconds: float = 5.0) -> Frame:
        """The next frame; EOFError when the connection was closed first."""
        async with asyncio.timeout(seconds):
            while not self._inbox:
                data = await self.reader.read(65536)
                if not data:
                    raise EOFError("closed")
                self._inbox += self._decoder.feed(data)
        return self._inbox.pop(0)

    async def login(self, account: int = 1, command: int = Command.HARDWARE_LOGIN) -> Client:
        """Log in and read the 200."""
        self.send(command, 1, b"account-%d" % account)
        assert await self.frame() == Frame(Command.RESPONSE, 1, b"", Status.OK)
        return self

    async def ping(self, message_id: int = 9) -> None:
        """Send a ping and read its answer."""
        self.send(Command.PING, message_id)
        assert await self.frame() == Frame(Command.RESPONSE, message_id, b"", Status.OK)

    async def closed(self, seconds: float = 5.0) -> bytes:
        """What still comes before the server closes the connection; TimeoutError when it does not."""
        async with asyncio.timeout(seconds):
            try:
                return await self.reader.read(-1)
            except ConnectionResetError:
                return b""

    def close(self) -> None:
        self.writer.close()
