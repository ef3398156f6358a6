"""Tasks: work that only the owner of an account may do, handed over by who found out that it is to be done.

The entry hands over what a client may ask before its log-in (the reset of a password), an owner what concerns the accounts
of other owners (a new face of an exported app). A task travels in a ``TASK`` entry through the account's shard, in order
with all that happens to the account, and may come twice (see slabs): it must not matter.
"""

from __future__ import annotations

import msgspec


class Task(msgspec.Struct, array_like=True):
    """`name` chooses the function, `fields` are its arguments."""

    name: str
    fields: list[bytes]
    gateway: bytes = b""  # 16 bytes: the gateway whose connection (the entry's session) waits for an answer
    message_id: int = 0  # of that answer


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Task).decode
