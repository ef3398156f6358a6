"""The MQTT port of the gateway, on real sockets, with a bus in memory and a stand-in for the state service (spec 01, 9; 09)."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest
from prometheus_client import REGISTRY
from vpin_gateway_hw.app import GatewayHardware
from vpin_messages.entry import EntryAnswer
from vpin_messages.slab import SETTLE, Down, Side, Up
from vpin_protocol import Command, hardware_frame, hardware_response
from vpin_runtime.settings import Settings
from vpin_sessions.mqtt import connection
from vpin_sessions.mqtt import session as sessions
from vpin_sessions.quota import BURST
from vpin_sessions.testing import Owner, owned_bus

pytestmark = pytest.mark.anyio

ACCEPTED = b"\x20\x02\0\0"
PING, PONG = b"\xc0\0", b"\xd0\0"


def text(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return struct.pack(">H", len(data)) + data


def packet(first: int, body: bytes) -> bytes:
    length, size = b"", len(body)
    while size > 127:
        length += bytes((size & 127 | 128,))
        size >>= 7
    return bytes((first,)) + length + bytes((size,)) + body


def connect(
    version: int = 4,
    user: str | None = "account-7",
    *,
    keep_alive: int = 60,
    client_id: str = "test",
    clean: bool = True,
    will: tuple[str, str] | None = None,
    properties: bytes = b"",
) -> bytes:
    flags = clean << 1 | (0xC0 if user is not None else 0) | (4 if will else 0)
    body = text("MQTT") + bytes((version, flags)) + struct.pack(">H", keep_alive)
    body += (bytes((len(properties),)) + properties if version == 5 else b"") + text(client_id)
    if will:
        body += (b"\0" if version == 5 else b"") + text(will[0]) + text(will[1])
    return packet(0x10, body + (text(user) + text("t" * 32) if user is not None else b""))


def publish(
    payload: str | bytes,
    qos: int = 0,
    packet_id: int = 0,
    *,
    topic: str = "hardware",
    version: int = 4,
    dup: bool = False,
) -> bytes:
    data = payload.encode() if isinstance(payload, str) else payload
    number = struct.pack(">H", packet_id) if qos else b""
    return packet(0x30 | dup << 3 | qos << 1, text(topic) + number + (b"\0" if version == 5 else b"") + data)


class Board:
    """A client on a socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, *packets: bytes) -> None:
        self.writer.write(b"".join(packets))

    async def hear(self) -> bytes:
        """The next packet, which is short."""
        async with asyncio.timeout(5):
            head = await self.reader.readexactly(2)
            return head + await self.reader.readexactly(head[1])

    async def rest(self, seconds: float = 5) -> bytes:
        """What still comes before the server closes the connection."""
        async with asyncio.timeout(seconds):
            try:
                return await self.reader.read(-1)
            except ConnectionResetError:
                return b""


class World:
    def __init__(self, service: GatewayHardware, owner: Owner) -> None:
        self.service, self.owner, self.gateway = service, owner, service.gateway
        self.boards: list[Board] = []

    async def open(self) -> Board:
        board = Board(*await asyncio.open_connection("127.0.0.1", self.service.listeners[-1].address.port))
        self.boards.append(board)
        return board

    async def board(self, version: int = 4, **options: Any) -> Board:
        """One that is logged in."""
        board = await self.open()
        board.send(connect(version, **options))
        answer = await board.hear()
        assert answer[:1] + answer[2:4] == b"\x20\0\0", answer
        return board

    def frames(self) -> list[tuple[int, int, bytes]]:
        """Of all sessions."""
        return [frame for frames in self.owner.frames.values() for frame in frames]

    def writes(self) -> list[tuple[int, bytes]]:
        return [(number, body) for command, number, body in self.frames() if command == Command.HARDWARE]

    def tell(self, kind: Down, payload: bytes = b"") -> None:
        """The only session there is."""
        (session,) = self.owner.openings
        self.owner.tell(self.gateway.sender, kind, session, payload)


@asynccontextmanager
async def running(settings: Settings, **changes: object) -> AsyncGenerator[World]:
    changes = {"hardware": "", "hardware_mqtt": "127.0.0.1:0", **changes}
    settings = settings.model_copy(update=changes)
    async with owned_bus(settings.shards) as (bus, owner):
        world = World(GatewayHardware(settings, bus), owner)
        await world.service.start()
        try:
            yield world
        finally:
            await world.service.stop()
            for board in world.boards:
                board.writer.transport.abort()


@pytest.fixture
async def world(settings: Settings):
    async with running(settings) as world:
        yield world


async def test_it_is_logged_in_by_the_owner_of_its_account(world: World):
    board = await world.board()
    (request,) = world.owner.requests
    assert (request.side, request.command, request.message_id) == (Side.MQTT, Command.LOGIN, 65535)
    assert (request.body, request.address) == (b"account-7\0" + b"t" * 32, "127.0.0.1")
    assert world.owner.openings[request.session][1:2] == (Side.MQTT,)
    board.send(b"\xe0\0")
    assert await board.rest() == b""
    await world.owner.until(lambda: (Up.CLOSED, request.session) in world.owner.events)


async def test_a_refusal_is_told_and_closes(world: World):
    for version, user, expected in (
        (4, "somebody", b"\x20\x02\0\x04"),
        (4, None, b"\x20\x02\0\x04"),
        (5, "somebody", b"\x20\x03\0\x86\0"),
    ):
        board = await world.open()
        board.send(connect(version, user))
        assert await board.rest() == expected


@pytest.mark.parametrize(("status", "v4", "v5"), [(19, 3, 0x88), (1, 5, 0x9F), (9, 4, 0x86)])
async def test_what_the_entry_says_becomes_a_reason(world: World, monkeypatch, status, v4, v5):
    answer = EntryAnswer(hardware_response(65535, status))
    monkeypatch.setattr(world.owner, "answer", lambda request: answer)
    for version, expected in ((4, bytes((0x20, 2, 0, v4))), (5, bytes((0x20, 3, 0, v5, 0)))):
        board = await world.open()
        board.send(connect(version))
        assert await board.rest() == expected


async def test_an_owner_may_refuse_whom_the_entry_let_in(world: World):
    world.owner.mute = True
    board = await world.open()
    board.send(connect())
    await world.owner.until(lambda: bool(world.owner.requests))
    (request,) = world.owner.requests
    world.owner.tell(world.gateway.sender, Down.FRAMES, request.session, hardware_response(65535, 9))
    world.owner.tell(world.gateway.sender, Down.CLOSE, request.session)
    assert await board.rest() == b"\x20\x02\0\x04"


async def test_connack_of_mqtt_5_tells_the_limits(world: World):
    board = await world.open()
    board.send(connect(5, client_id="", properties=b"\x11\0\0\0\x3c"))
    answer = await board.hear()
    assert answer[2:4] == b"\0\0"
    assert b"\x11\0\0\0\0" in answer  # the session ends with the connection
    assert b"\x12\0\x15vpin-" in answer
    assert b"\x21\0\x64" in answer
    assert b"\x27\0\x01\0\0" in answer
    assert b"\x22\0\0" in answer
    assert all(pair in answer for pair in (b"\x28\x01", b"\x29\0", b"\x2a\0", b"\x25\x01"))


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        ({"client_id": "x" * 65}, b"\x20\x02\0\x02"),
        ({"client_id": "", "clean": False}, b"\x20\x02\0\x02"),
        ({"client_id": "x" * 65, "version": 5}, b"\x20\x03\0\x85\0"),
        ({"version": 6}, b"\x20\x03\0\x84\0"),
        ({"version": 2}, b"\x20\x02\0\x01"),
    ],
)
async def test_a_connect_that_is_not_good_is_refused(world: World, options, answer):
    board = await world.open()
    board.send(connect(**options))
    assert await board.rest() == answer
    assert not world.owner.requests


async def test_what_is_published_becomes_writes(world: World):
    board = await world.board()
    board.send(
        publish("vw 1 5"), publish(b"vw\x002\x006", 1, 300, topic="HARDWARE"), publish("vw 1 5", topic="ds/V1"), PING
    )
    assert await board.hear() == b"\x40\x02\x01\x2c"
    assert await board.hear() == PONG
    assert world.writes() == [(65535, b"vw\x001\x005"), (300, b"vw\x002\x006")]
    assert [command for command, _, _ in world.frames()] == [Command.HARDWARE, Command.HARDWARE, SETTLE, Command.PING]


async def test_an_acknowledgement_waits_for_the_owner(world: World, monkeypatch):
    monkeypatch.setattr(world.owner, "_on_up", silent(world, world.owner._on_up))
    board = await world.board()
    board.send(publish("vw 1 5", 1, 5), publish("vw 1 6", 1, 6), PING)
    await world.owner.until(lambda: len(world.frames()) == 5)
    fences = [number for command, number, _ in world.frames() if command != Command.HARDWARE]
    assert len(set(fences)) == 3
    world.tell(Down.FRAMES, hardware_frame(Command.HARDWARE, 1, b"vw\x001\x001") + hardware_response(fences[1], 200))
    assert [await board.hear(), await board.hear()] == [b"\x40\x02\0\x05", b"\x40\x02\0\x06"]
    world.tell(Down.FRAMES, hardware_response(fences[1], 200) + hardware_response(fences[2], 200))
    assert await board.hear() == PONG


def silent(world: World, on_up: Callable[..., None]) -> Callable[..., None]:
    """An owner that hears frames and answers none."""

    def hear(gateway: bytes, up: Any) -> None:
        if up.kind != Up.FRAMES:
            on_up(gateway, up)
            return
        data = up.payload
        while data:
            command, number, length = struct.unpack_from(">BHH", data)
            world.owner.frames[up.session].append((command, number, data[5 : 5 + length]))
            data = data[5 + length :]

    return hear


async def test_an_owner_that_says_nothing_is_given_up(world: World, monkeypatch):
    monkeypatch.setattr(world.owner, "_on_up", silent(world, world.owner._on_up))
    monkeypatch.setattr(sessions, "ANSWER_WITHIN", 0.2)
    board = await world.board(5)
    board.send(publish("vw 1 5", 1, 5, version=5))
    assert await board.rest() == b"\xe0\x01\x88"


async def test_qos_2_is_applied_once(world: World):
    board = await world.board()
    board.send(publish("vw 1 5", 2, 9))
    assert await board.hear() == b"\x50\x02\0\x09"
    board.send(publish("vw 1 5", 2, 9, dup=True))
    assert await board.hear() == b"\x50\x02\0\x09"
    board.send(b"\x62\x02\0\x09")
    assert await board.hear() == b"\x70\x02\0\x09"
    board.send(publish("vw 1 6", 2, 9))
    assert await board.hear() == b"\x50\x02\0\x09"
    assert world.writes() == [(9, b"vw\x001\x005"), (9, b"vw\x001\x006")]


async def test_reasons_of_mqtt_5(world: World, monkeypatch):
    board = await world.board(5)
    board.send(publish("vw 1 5", 1, 5, topic="ds/V1", version=5))
    assert await board.hear() == b"\x40\x03\0\x05\x90"
    board.send(publish("vw 1 5", 2, 6, topic="ds/V1", version=5))
    assert await board.hear() == b"\x50\x03\0\x06\x90"
    board.send(b"\x62\x02\0\x06")  # that id is free already
    assert await board.hear() == b"\x70\x03\0\x06\x92"
    monkeypatch.setattr(world.owner, "_on_up", silent(world, world.owner._on_up))
    board.send(publish("vw 1", 1, 7, version=5), publish("vw 1", 2, 8, version=5))
    await world.owner.until(lambda: len(world.frames()) == 6)
    fences = [number for command, number, _ in world.frames() if command == SETTLE]
    for packet_id, fence in zip((7, 8), fences, strict=True):
        world.tell(Down.FRAMES, hardware_response(packet_id, 2) + hardware_response(fence, 200))
    assert await board.hear() == b"\x40\x03\0\x07\x99"
    assert await board.hear() == b"\x50\x03\0\x08\x99"


async def test_subscriptions_are_refused_and_unsubscribing_is_answered(world: World):
    board = await world.board()
    board.send(packet(0x82, b"\0\x01" + text("downlink/#") + b"\1" + text("hardware") + b"\0"))
    assert await board.hear() == b"\x90\x04\0\x01\x80\x80"
    board.send(packet(0xA2, b"\0\x02" + text("hardware")))
    assert await board.hear() == b"\xb0\x02\0\x02"
    newer = await world.board(5)
    newer.send(packet(0x82, b"\0\x01\0" + text("hardware") + b"\1"), packet(0xA2, b"\0\x02\0" + text("hardware")))
    assert await newer.hear() == b"\x90\x04\0\x01\0\x80"
    assert await newer.hear() == b"\xb0\x04\0\x02\0\x11"


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (connect(5), 0x82),
        (b"\x36\0", 0x81),
        (b"\x30\xff\xff\x7f", 0x95),
        (packet(0x30, text("a/#") + b"\0x"), 0x90),
        (packet(0x30, text("hardware") + b"\x03\x23\0\x01x"), 0x94),
    ],
)
async def test_what_breaks_mqtt_ends_the_connection_with_a_reason(world: World, broken, reason):
    board = await world.board(5)
    board.send(publish("vw 1 5", version=5), broken)
    assert await board.rest() == bytes((0xE0, 1, reason))
    await world.owner.until(lambda: world.writes() == [(65535, b"vw\x001\x005")])


@pytest.mark.parametrize("broken", [connect(), b"\x36\0", b"\x30\xff\xff\x7f"])
async def test_mqtt_3_is_just_closed(world: World, broken):
    board = await world.board()
    board.send(broken)
    assert await board.rest() == b""


async def test_a_first_packet_that_is_no_connect_closes(world: World):
    for first in (PING, publish("vw 1 5"), b"GET / HTTP/1.1\r\n\r\n"):
        board = await world.open()
        board.send(first)
        assert await board.rest() == b""


@pytest.mark.parametrize("sent", [b"", connect()[:9]])
async def test_connect_has_its_time_from_the_accept_on(settings: Settings, monkeypatch, sent):
    monkeypatch.setattr(connection, "CONNECT_WITHIN", 0.3)
    async with running(settings) as world:
        board = await world.open()
        board.send(sent)
        assert await board.rest(2) == b""
        assert world.gateway.tally.idle_closed == 1


async def test_keep_alive_and_a_half(world: World):
    board = await world.board(5, keep_alive=1)
    (session,) = world.gateway.sessions.values()
    assert session.limit == 1.5
    assert await board.rest() == b"\xe0\x01\x8d"
    await world.board(keep_alive=0)
    (session,) = world.gateway.sessions.values()
    assert session.deadline() == float("inf")
    wire = session.transport.get_extra_info("socket")
    assert wire.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


@pytest.mark.parametrize(
    ("payload", "reason"), [(b"\x8e", 0x8E), (b"", 0x98)], ids=["another takes over", "the token is gone"]
)
async def test_an_owner_closes_with_a_reason(world: World, payload, reason):
    board = await world.board(5, will=("hardware", "vw 9 gone"))
    world.tell(Down.CLOSE, payload)
    assert await board.rest() == bytes((0xE0, 1, reason))
    await world.owner.until(lambda: world.writes() == [(65535, b"vw\x009\0gone")])


async def test_the_stop_of_the_server_is_told_and_executes_no_will(settings: Settings):
    async with running(settings) as world:
        board = await world.board(5, will=("hardware", "vw 9 gone"))
    assert await board.rest() == b"\xe0\x01\x8b"
    assert not world.writes()


async def test_who_waits_for_his_log_in_when_the_server_stops_may_come_again(settings: Settings):
    async with running(settings) as world:
        world.owner.mute = True
        board = await world.open()
        board.send(connect(5))
        await world.owner.until(lambda: bool(world.owner.requests))
    assert await board.rest() == b"\x20\x03\0\x88\0"


@pytest.mark.parametrize(
    ("leave", "executed"),
    [(b"", True), (b"\xe0\x01\x04", True), (b"\xe0\0", False), (b"\xe0\x01\0", False)],
)
async def test_a_will_is_executed_unless_the_client_says_good_bye(world: World, leave, executed):
    board = await world.board(5, will=("Hardware", "vw 9 gone"))
    board.send(leave)
    if not leave:
        board.writer.transport.abort()
    (session,) = world.owner.openings
    await world.owner.until(lambda: (Up.CLOSED, session) in world.owner.events)
    assert world.writes() == ([(65535, b"vw\x009\0gone")] if executed else [])


async def test_a_will_of_another_topic_is_dropped(world: World):
    board = await world.board(will=("ds/V9", "1"))
    board.writer.transport.abort()
    (session,) = world.owner.openings
    await world.owner.until(lambda: (Up.CLOSED, session) in world.owner.events)
    assert not world.frames()


async def test_over_the_quota_qos_0_is_dropped_and_the_rest_waits(settings: Settings):
    async with running(settings, message_quota=20) as world:
        board = await world.board()
        spent = 20 * BURST
        board.send(*[publish(f"vw 1 {n}") for n in range(spent + 5)], publish("vw 2 x", 1, 7), PING)
        assert await board.hear() == b"\x40\x02\0\x07"
        assert await board.hear() == PONG
        assert len(world.writes()) in range(spent + 1, spent + 4)
        assert world.writes()[-1] == (7, b"vw\x002\0x")
        assert world.gateway.tally.quota_dropped in range(3, 6)


async def test_more_than_the_receive_maximum_is_too_much(world: World, monkeypatch):
    monkeypatch.setattr(world.owner, "_on_up", silent(world, world.owner._on_up))
    board = await world.board(5)
    board.send(*[publish("vw 1 5", 1 + n % 2, n, version=5) for n in range(1, 102)])
    assert await board.rest() == b"\xe0\x01\x93"


async def test_a_client_that_waits_for_too_many_answers_is_read_no_more(world: World, monkeypatch):
    monkeypatch.setattr(world.owner, "_on_up", silent(world, world.owner._on_up))
    monkeypatch.setattr(sessions, "MOST_ANSWERS", 3)
    board = await world.board()
    board.send(PING * 5)
    await world.owner.until(lambda: len(world.frames()) == 3)
    (session,) = world.gateway.sessions.values()
    assert session.paused
    world.tell(Down.FRAMES, hardware_response(world.frames()[2][1], 200))
    await world.owner.until(lambda: len(world.frames()) == 5)
    assert not session.paused
    assert b"".join([await board.hear() for _ in range(3)]) == PONG * 3


async def test_packets_behind_connect_wait_for_connack_and_may_come_byte_by_byte(world: World):
    board = await world.open()
    for byte in connect() + publish("vw 1 5", 1, 5) + packet(0x82, b"\0\x01" + text("x") + b"\0"):
        board.send(bytes((byte,)))
        await board.writer.drain()
        await asyncio.sleep(0)
    answers = [await board.hear() for _ in range(3)]
    assert answers[0] == ACCEPTED
    assert set(answers[1:]) == {b"\x40\x02\0\x05", b"\x90\x03\0\x01\x80"}


async def test_the_address_comes_from_the_edge(settings: Settings):
    async with running(settings, proxy_protocol=True) as world:
        board = await world.open()
        addresses = bytes((10, 1, 2, 3, 10, 0, 0, 1)) + struct.pack(">HH", 5000, 8440)
        board.send(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", addresses, connect())
        assert await board.hear() == ACCEPTED
        assert world.owner.requests[0].address == "10.1.2.3"


async def test_a_client_that_does_not_read_is_told_so_and_cut_off(world: World):
    board = await world.board(5)
    (session,) = world.gateway.sessions.values()
    session.pause_writing()
    session.cut_off()
    assert await board.rest() == b"\xe0\x01\x97"


async def test_what_is_counted(world: World):
    def value(name: str, **labels: str) -> float:
        return REGISTRY.get_sample_value(f"vpin_mqtt_{name}", labels) or 0.0

    before = [value("ended_total", reason="bad_user_name_or_password"), value("dropped_total", reason="topic")]
    board = await world.board(5)
    board.send(publish("1", topic="ds/V1", version=5), PING)
    assert await board.hear() == PONG
    assert value("sessions", kind="legacy", version="5") == 1
    assert value("packets_in_total", type="pingreq") >= 1
    assert value("packets_out_total", type="pingresp") >= 1
    refused = await world.open()
    refused.send(connect(4, "somebody"))
    await refused.rest()
    after = [value("ended_total", reason="bad_user_name_or_password"), value("dropped_total", reason="topic")]
    assert after == [count + 1 for count in before]
    board.send(b"\xe0\0")
    await board.rest()
    await world.owner.until(lambda: (Up.CLOSED, next(iter(world.owner.openings))) in world.owner.events)
    assert value("sessions", kind="legacy", version="5") == 0


async def test_whatever_bytes_come_nothing_breaks_but_their_connection(world: World):
    faults: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: faults.append(context))
    random = Random(8440)
    stream = connect(5, will=("hardware", "vw 1 1")) + publish("vw 1 5", 2, 9, version=5) + b"\x62\x02\0\x09" + PING
    for _ in range(150):
        broken = bytearray(stream)
        for _ in range(random.randint(1, 4)):
            broken[random.randrange(len(broken))] = random.randrange(256)
        board = await world.open()
        board.send(bytes(broken[: random.randint(1, len(broken))]))
        board.writer.write_eof()
        await board.rest()
    good = await world.board()
    good.send(PING)
    assert await good.hear() == PONG
    assert not faults
