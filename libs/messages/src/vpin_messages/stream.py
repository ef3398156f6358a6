"""The live stream of an account: who watches tells its owner so, and the owner tells what happens there.

Nobody watches: nothing is built, nothing is sent. An API process with a reader of the account sends a ``WATCH`` entry
(:class:`Interest`) to the account's shard; its session field is the reader's number there, 0 when it only prolongs. The owner
answers with a ``STREAM`` entry for that number (:class:`Batch`, the *greeting*), and from then on sends batches with number 0.

Events of an account have consecutive numbers within an *epoch*, the time that one owner has watched the account without a
break. A reader that finds a gap, or another epoch, sends its interest again with the last number that it has: the owner
repeats what is missing, or, where it can't, leaves `resumed` false and the reader begins anew. So a lost batch, a dead owner
and a reader that comes back (to whatever API process) are all the same case.
"""

from __future__ import annotations

import msgspec

LEASE = 75
"""Seconds that an interest holds. Events are kept as long, for readers that come back."""
KEPT = 1000
"""Events of an account that are kept; who has missed more begins anew."""


class Interest(msgspec.Struct, array_like=True):
    """Events of the account are wanted behind `number` of `epoch` (0: whatever comes)."""

    epoch: int = 0
    number: int = 0
    sends: bool = True  # False: nobody reads at present; keep the events for those who come back


class Shown(msgspec.Struct, array_like=True):
    """One event."""

    number: int
    kind: str  # "value", "status" or "event"
    device: int  # id of spec 08, 4
    data: bytes  # JSON


class Batch(msgspec.Struct, array_like=True):
    """Events of an account, oldest first; `number` is the last one's, or where the reader starts."""

    account: int
    epoch: int  # 0: there is no such account
    number: int
    seq: int = 0  # of the account's newest write
    events: list[Shown] = []
    resumed: bool = False  # of a greeting: `events` is all that came behind the interest's number


encode = msgspec.msgpack.Encoder().encode
decode_interest = msgspec.msgpack.Decoder(Interest).decode
decode_batch = msgspec.msgpack.Decoder(Batch).decode
