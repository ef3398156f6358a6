"""Order across refusals: how a window of several publishes and a bounded queue go together.

Theory of operation
-------------------
An outlet keeps up to WINDOW slabs on their way. A full queue may refuse slab n, then accept n + 1, since its consumer
took something in between. A receiver that has applied n + 1 would drop n for good. So the outlet goes back: when a slab
is refused it stops, waits until the fate of all slabs on their way is known, and publishes again from the refused one
on, *including those that were accepted*. And the consumer's side of the bus must not deliver the early n + 1.

Each message says, in its message id, ``outlet.number.settled``: who sent it, its number, and the highest number up to
which everything was confirmed when it was published (or published again). Let x be the highest number delivered so far
of that outlet:

* number ≤ x + 1: deliver. (A number that came before is one published again; receivers drop it by number.)
* number > x + 1 and settled ≥ number - 1: all before it was accepted, so what is missing was purged: deliver.
* otherwise a slab in front of it was refused: drop it, for the outlet publishes it again behind the refused one.

A consumer that never heard of the outlet (it took over just now) does not know x. Message k with settled < k - 1 leaves
two cases: its forerunner was consumed by its predecessor (deliver), or refused (drop). The next message of the outlet
decides: a number < k proves the refusal, settled ≥ k - 1 proves the contrary. So k and all behind it are held until
then. For an outlet that falls silent just there, the publisher sends a *mark*: an empty message with the last number,
settled, when a second has passed without another slab. No mark for `PATIENCE` seconds: the outlet is dead, so nothing
of it comes any more: deliver.

All this holds for queues with one consumer at a time (single active, or expiring). Where consumers compete they see no
order, and outlets of bounded queues of that kind have a window of 1, so that a refusal cannot change it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

PATIENCE = 3.0
OUTLETS = 4096  # remembered; the one heard of first is forgotten first


class Message(NamedTuple):
    tag: int
    redelivered: bool
    body: bytes
    outlet: bytes  # b"": in no sequence
    number: int
    settled: int


def stamp(outlet: str, number: int, settled: int) -> bytes:
    """Message id of a slab, e.g. ``5f1c…9a.17.14``."""
    return f"{outlet}.{number}.{settled}".encode()


def read_stamp(message_id: bytes) -> tuple[bytes, int, int]:
    """(outlet, number, settled); no outlet when it is no stamp."""
    parts = message_id.split(b".")
    if len(parts) == 3 and parts[1].isdigit() and parts[2].isdigit():
        return parts[0], int(parts[1]), int(parts[2])
    return b"", 0, 0


class Sequencer:
    """Takes messages in the broker's order; `deliver` gets those to hand on, `drop` those to acknowledge unseen."""

    def __init__(self, deliver: Callable[[Message], None], drop: Callable[[Message], None]) -> None:
        self._deliver = deliver
        self._drop = drop
        self._seen: dict[bytes, int] = {}  # highest number delivered, by outlet
        self._held: deque[Message] = deque()

    @property
    def holding(self) -> bool:
        return bool(self._held)

    def receive(self, message: Message) -> None:
        if self._held:
            self._held.append(message)
            self._advance()
        else:
            seen = self._seen.get(message.outlet)
            if message.outlet and message.body and seen is not None and message.number == seen + 1:  # nearly always
                self._seen[message.outlet] = message.number
                self._deliver(message)
            elif not self._judge(message, ()):
                self._held.append(message)

    def give_up(self) -> None:
        """Nothing came for PATIENCE seconds: deliver what is held first, and go on."""
        if self._held:
            self._pass(self._held.popleft())
            self._advance()

    def reset(self) -> None:
        """The connection was lost: what is held comes again, and what others took meanwhile is not known here."""
        self._held.clear()
        self._seen.clear()

    def _advance(self) -> None:
        while self._held:
            message = self._held.popleft()
            if not self._judge(message, self._held):
                self._held.appendleft(message)
                return

    def _judge(self, message: Message, behind: deque[Message] | tuple[()]) -> bool:
        """Deliver or drop; False when nothing `behind` tells which."""
        outlet, number = message.outlet, message.number
        if not outlet:
            self._deliver(message)
            return True
        if not message.body:
            self._drop(message)
            return True
        seen = self._seen.get(outlet)
        if message.settled >= number - 1 or (seen is not None and number <= seen + 1):
            self._pass(message)
            return True
        if seen is not None:
            # What lies between was confirmed up to `settled`; beyond that, one was refused.
            self._drop(message)
            return True
        for later in behind:
            if later.outlet == outlet:
                if later.number < number:
                    self._drop(message)
                    return True
                if later.settled >= number - 1:
                    self._pass(message)
                    return True
        return False

    def _pass(self, message: Message) -> None:
        seen = self._seen.get(message.outlet)
        if seen is None and len(self._seen) >= OUTLETS:
            del self._seen[next(iter(self._seen))]
        self._seen[message.outlet] = message.number if seen is None else max(seen, message.number)
        self._deliver(message)
