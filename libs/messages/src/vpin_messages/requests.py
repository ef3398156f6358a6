"""Requests of the API to an account's owner, as REQUEST entries in the shard's queue; the answers come as REPLY.

A request stands in the same queue as the frames, so a reader sees every write that was sent before it. An answer to a write
is released after the commit that holds it.
"""

from __future__ import annotations

import msgspec

ACCOUNT = -1
"""Device of a request that concerns the account as a whole (management API): its dash and credential are 0."""


class PinRequest(msgspec.Struct, array_like=True):
    """One call of a pin API. The entry around it names account, dashboard, device and the token's credential."""

    operation: (
        str  # a name registered in the state service: "get", "update", "isHardwareConnected", "isAppConnected", …
    )
    pin_type: str = ""  # "v", "d" or "a"
    pin: int = -1
    values: list[str] = []  # parts of the value, or of the property's value
    name: str = ""  # property, widget or other name, as the operation says
    payload: bytes = b""  # JSON, where an operation takes more


class PinReply(msgspec.Struct, array_like=True):
    """status 200 and a JSON body (`b""`: no content), or an HTTP error status and its plain text."""

    status: int
    body: bytes = b""


encode = msgspec.msgpack.Encoder().encode
decode_request = msgspec.msgpack.Decoder(PinRequest).decode
decode_reply = msgspec.msgpack.Decoder(PinReply).decode
