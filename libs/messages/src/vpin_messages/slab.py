"""Slabs: what gateways, the API and shard owners send each other, hundreds of frames in one bus message.

A slab is a head and any number of entries, packed one behind the other, all integers big endian:

    head   version u8 · sender 16 bytes · number u64
    up     kind u8 · side u8 · session u32 · account u64 · dash i32 · device i32 · credential u32 · length u32 · payload
    down   kind u8 · session u32 · length u32 · payload

*Up* runs from a sender of entries (a gateway, the API, notify) to a shard's queue, *down* from an owner to one instance's
queue. ``sender`` is the random id of the sending process (:func:`new_sender`), ``number`` counts its slabs per destination
from 1. The receiver drops a slab whose number it has already applied: delivery is at least once, effect is once.

An up entry names account, dashboard and device of its session every time. So an owner that has never heard of the session
(it took over a second ago, the announcement is still behind in the queue) can apply its frames all the same.
``credential`` is :func:`credential` of the token that opened the session: an owner closes a session whose token is no
longer right.

Both walkers (:func:`up_entries`, :func:`down_entries`) are for tests and slow paths; the hot paths unpack with the structs.
"""

from __future__ import annotations

import secrets
import struct
import zlib
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

VERSION = 1
HEAD = struct.Struct(">B16sQ")
UP = struct.Struct(">BBIQiiII")
DOWN = struct.Struct(">BII")


class SlabError(ValueError):
    """The bytes are no slab of this version."""


class Side(IntEnum):
    """Which kind of client a session is, and so which framing its frames have."""

    HARDWARE = 0  # 5-byte header
    APP = 1  # 7-byte header
    WEB = 2  # 3-byte header; an app session inside a websocket
    MQTT = 3  # a board of Blynk server 0.41 by MQTT; inside vpin its frames have the 5-byte header


BOARDS = frozenset((Side.HARDWARE, Side.MQTT))
"""Sides whose sessions are a device's, and have the hardware framing."""
SETTLE = 128
"""A command of gateways, which no board can send: answered with 200 once all that came before it is committed."""


class Up(IntEnum):
    """Kinds of up entries."""

    FRAMES = 1  # payload: whole frames in the session's framing, joined
    OPEN = 2  # payload: the grant's `opening`; the session's first entry
    ANNOUNCE = 3  # payload: the same; the session is alive, its owner may be new
    CLOSED = 4  # the connection is gone; no payload
    HEARTBEAT = 5  # the sender is alive; session 0, no payload
    TICK = 6  # an owner's own clock, through its queue; no payload
    REQUEST = 7  # payload: msgpack of vpin_messages.requests.PinRequest; session = number that the reply repeats
    RESULT = (
        8  # payload: gateway (16 bytes), status u16, message id u16: outcome of a notification job, for its session
    )
    BYE = 9  # the sender stops in order: drop its sessions now
    TASK = 10  # payload: msgpack of vpin_messages.tasks.Task for the account's owner; session = the connection that waits, or 0
    WATCH = 11  # payload: msgpack of vpin_messages.stream.Interest; session = the reader that is to be greeted, or 0
    CAMPAIGNS = 12  # campaigns of firmware have changed in the database: read them, then REPLY; session = its number


class Down(IntEnum):
    """Kinds of down entries."""

    FRAMES = 1  # payload: bytes to write to the session
    CLOSE = 2  # write what is queued, then close the session; payload for MQTT: the reason code of DISCONNECT, or none
    IDLE = 3  # payload u32: the session's new idle time-out in seconds, 0 for none
    ENTRY = 4  # payload: msgpack of vpin_messages.entry.EntryAnswer; session as in the entry request
    REPLY = 5  # payload: msgpack of vpin_messages.requests.PinReply; session as in the REQUEST
    ANNOUNCE = 6  # announce all sessions of the shard whose number is in `session`
    STREAM = 7  # payload: msgpack of vpin_messages.stream.Batch; session = the reader that is greeted, 0: for all


class UpEntry(NamedTuple):
    kind: int
    side: int
    session: int
    account: int
    dash: int
    device: int
    credential: int
    payload: bytes


class DownEntry(NamedTuple):
    kind: int
    session: int
    payload: bytes


def new_sender() -> bytes:
    """A fresh random id of a sending process (16 bytes)."""
    return secrets.token_bytes(16)


def credential(token: str) -> int:
    """A 32-bit mark of a token that changes when the token is replaced; never 0. No secret: it proves nothing."""
    return zlib.crc32(b"vpin" + token.encode()) or 1  # 0 stands for a session without a token, which may do everything


def shard_of(account: int, shards: int) -> int:
    """The shard of an account id: stable for ever, spreads consecutive ids."""
    return zlib.crc32(account.to_bytes(8, "big")) % shards


def head(sender: bytes, number: int) -> bytes:
    return HEAD.pack(VERSION, sender, number)


def read_head(slab: bytes) -> tuple[bytes, int]:
    """(sender, number) of a slab; SlabError when it is none."""
    if len(slab) < HEAD.size or slab[0] != VERSION:
        raise SlabError("not a slab of this version")
    _, sender, number = HEAD.unpack_from(slab)
    return sender, number


def up_entry(
    kind: int,
    session: int = 0,
    payload: bytes = b"",
    *,
    side: int = 0,
    account: int = 0,
    dash: int = 0,
    device: int = 0,
    credential: int = 0,
) -> bytes:
    return UP.pack(kind, side, session, account, dash, device, credential, len(payload)) + payload


def down_entry(kind: int, session: int, payload: bytes = b"") -> bytes:
    return DOWN.pack(kind, session, len(payload)) + payload


def up_entries(slab: bytes) -> Iterator[UpEntry]:
    """Every entry behind the head; SlabError where the slab ends inside one."""
    at, end = HEAD.size, len(slab)
    while at < end:
        if end - at < UP.size:
            raise SlabError("slab ends inside an entry")
        kind, side, session, account, dash, device, mark, length = UP.unpack_from(slab, at)
        at += UP.size
        if end - at < length:
            raise SlabError("slab ends inside a payload")
        yield UpEntry(kind, side, session, account, dash, device, mark, slab[at : at + length])
        at += length


def down_entries(slab: bytes) -> Iterator[DownEntry]:
    """Every entry behind the head; SlabError where the slab ends inside one."""
    at, end = HEAD.size, len(slab)
    while at < end:
        if end - at < DOWN.size:
            raise SlabError("slab ends inside an entry")
        kind, session, length = DOWN.unpack_from(slab, at)
        at += DOWN.size
        if end - at < length:
            raise SlabError("slab ends inside a payload")
        yield DownEntry(kind, session, slab[at : at + length])
        at += length
