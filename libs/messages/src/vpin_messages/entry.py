"""Entry: what happens before a session exists. Any state process answers, whatever shard the account is in.

A gateway sends each command of a client that is not logged in (log-in, register, …) as an :class:`EntryRequest`; the
requests of one loop turn share an :class:`EntryBatch` on the queue ``vpin.entry``. The answer comes as a down entry
``ENTRY`` whose session is the request's: what to write to the client, and, when the client may come in, a :class:`Grant`.
With a grant the gateway opens the session by an ``OPEN`` entry in the account's shard, ahead of the session's frames;
it writes nothing itself: the owner answers the log-in.
"""

from __future__ import annotations

import msgspec


class EntryRequest(msgspec.Struct, array_like=True):
    """One command of a client that has no session yet."""

    session: int  # the gateway's number of the connection
    side: int  # vpin_messages.slab.Side
    command: int
    message_id: int
    body: bytes
    address: str  # the client's IP address
    registered: bool = False  # a register succeeded on this connection


class EntryBatch(msgspec.Struct, array_like=True):
    """Requests of one gateway instance, oldest first."""

    gateway: bytes  # 16 bytes, the gateway's sender id
    requests: list[EntryRequest]


class Provision(msgspec.Struct, array_like=True):
    """A provision token (spec 02, 7.5) under which a board logs in for the first time."""

    token: str
    device: bytes  # JSON of the device that it becomes


class Opening(msgspec.Struct, array_like=True):
    """What the owner must know of a session: opaque to the gateway, repeated in OPEN and ANNOUNCE."""

    message_id: int  # of the log-in
    command: int  # 29 or 2, 32 for a shared session
    address: str = ""
    os: str = ""
    version: str = ""
    uid: str = ""  # of a shared log-in
    shared: bool = False  # session of a share token: `dash` of the entry is the shared dashboard
    provision: Provision | None = None  # the token makes the device, unless it is there already
    password: int = 0  # mark (`slab.credential`) of the stored hash that the password was verified with; 0: none was


class Grant(msgspec.Struct, array_like=True):
    """The client is who it says: open the session so."""

    account: int
    dash: int  # of the device; 0 for a full app session
    device: int  # of the device; 0 for apps
    credential: int
    opening: bytes  # msgpack of Opening


class EntryAnswer(msgspec.Struct, array_like=True):
    """What the gateway does for the connection: write, then open the session or close, or wait for the next command."""

    frames: bytes = b""  # whole frames in the client's framing
    grant: Grant | None = None
    close: bool = False
    registered: bool = False


encode = msgspec.msgpack.Encoder().encode
decode_batch = msgspec.msgpack.Decoder(EntryBatch).decode
decode_answer = msgspec.msgpack.Decoder(EntryAnswer).decode
decode_opening = msgspec.msgpack.Decoder(Opening).decode
