"""The outlet of a queue of the broker: slabs in their order, whatever is refused, returned or lost (see ``sequence``)."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable

from vpin_bus.amqp.publishing import Outcome, Publisher
from vpin_bus.amqp.sequence import stamp
from vpin_bus.interface import WINDOW, Queue
from vpin_bus.outlet import BaseOutlet, Turn

FIRST_PAUSE, LAST_PAUSE = 0.005, 0.1  # seconds until a full queue is tried again
ABSENT_PAUSE = 0.5  # the same for a queue that is not there


class Slab:
    """A slab that is not settled. `outcome` is None while it is on its way."""

    __slots__ = ("body", "number", "outcome", "outlet", "size")

    def __init__(self, outlet: AmqpOutlet, number: int, body: bytes, size: int) -> None:
        self.outlet = outlet
        self.number = number
        self.body = body
        self.size = size
        self.outcome: Outcome | None = None

    def resolve(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.outlet.resolved(outcome)


class Mark:
    """The empty message that settles the last slab for a consumer that took over."""

    __slots__ = ("outlet",)

    def __init__(self, outlet: AmqpOutlet) -> None:
        self.outlet = outlet

    def resolve(self, outcome: Outcome) -> None:
        if outcome is not Outcome.ACCEPTED:
            self.outlet.mark_later()


class AmqpOutlet(BaseOutlet):
    """Keeps slabs until they are settled: they and all before them accepted."""

    __slots__ = (
        "_going_back",
        "_id",
        "_limit",
        "_loop",
        "_marks",
        "_on_absent",
        "_on_close",
        "_on_tail",
        "_pause",
        "_probing",
        "_publisher",
        "_settled",
        "_tail",
        "_window",
        "in_line",
        "queue",
    )

    def __init__(
        self,
        queue: Queue,
        turn: Turn,
        head: Callable[[int], bytes],
        high: int,
        low: int,
        on_pressure: Callable[[bool], None] | None,
        *,
        on_absent: Callable[[AmqpOutlet], None],
        on_tail: Callable[[AmqpOutlet], None],
        on_close: Callable[[AmqpOutlet], None],
    ) -> None:
        super().__init__(turn, head, high, low, on_pressure)
        self.queue = queue
        self._on_absent = on_absent  # the queue is gone
        self._on_tail = on_tail  # call mark() in a second
        self._on_close = on_close
        self._loop = turn.loop
        self._id = secrets.token_hex(8)
        self._marks = queue.single_active or queue.expires > 0  # its consumer has a sequencer
        self._limit = WINDOW if self._marks or not queue.max_messages else 1
        self._window: deque[Slab] = deque()
        self._settled = 0
        self._going_back = False  # no new slabs: first those of the window must go again
        self._probing = False  # the first of them is on its way
        self._pause = FIRST_PAUSE
        self._publisher: Publisher | None = None
        self.in_line = False  # waits for its turn to publish
        self._tail = False  # the last slab was published before those in front of it were confirmed

    @property
    def absent(self) -> bool:
        """Whether its queue does not exist: nobody may ever take what it holds."""
        return bool(self._window) and self._window[0].outcome is Outcome.RETURNED

    def connected(self, publisher: Publisher) -> None:
        """The queue is declared, publish by this."""
        self._publisher = publisher
        if self._window:
            self._probe()
        else:
            self._publish()

    def disconnected(self) -> None:
        self._publisher = None

    def flush(self) -> None:
        self._marked = False
        self._publish()

    def close(self) -> None:
        super().close()
        self._window.clear()
        self._on_close(self)

    def mark(self) -> None:
        """A second has passed since the outlet asked for it: settle the last slab, unless another one followed."""
        if self._tail and not self.closed and self._publisher is not None and not self._window and not self._entries:
            self._tail = False
            message_id = stamp(self._id, self._number, self._number)
            self._publisher.publish(Mark(self), message_id, b"", self.queue.name)
        elif self._tail and not self.closed:
            self._on_tail(self)

    def mark_later(self) -> None:
        if not self.closed:
            self._tail = True
            self._on_tail(self)

    def resolved(self, outcome: Outcome) -> None:
        """A slab of the window has its outcome."""
        if self.closed:
            return
        size = 0
        while self._window and self._window[0].outcome is Outcome.ACCEPTED:
            slab = self._window.popleft()
            self._settled = slab.number
            size += slab.size
        if outcome is not Outcome.ACCEPTED:
            self._going_back = True
            self._probing = False
        elif self._probing:
            self._go_on()
        if not self._going_back:
            self._publish()
        elif all(slab.outcome is not None for slab in self._window):
            self._go_back()
        if size:
            self._confirmed(size)

    def _publish(self) -> None:
        """Fill the window with new slabs."""
        while (
            self._entries
            and self._publisher is not None
            and not self._going_back
            and len(self._window) < self._limit
            and self._publisher.may_publish(self)
        ):
            body, size = self._take()
            slab = Slab(self, self._number, body, size)
            self._window.append(slab)
            self._send(slab)

    def _send(self, slab: Slab) -> None:
        assert self._publisher is not None
        slab.outcome = None
        tail = self._marks and self._settled < slab.number - 1
        if tail and not self._tail:
            self._on_tail(self)
        self._tail = tail
        self._publisher.publish(slab, stamp(self._id, slab.number, self._settled), slab.body, self.queue.name)

    def _go_back(self) -> None:
        """The fate of all slabs is known, and the first was not accepted: it and all behind it must go again."""
        for slab in self._window:
            if slab.outcome is Outcome.ACCEPTED:
                slab.outcome = Outcome.REFUSED
        first = self._window[0].outcome
        if first is Outcome.REFUSED:
            self._loop.call_later(self._pause, self._probe)
            self._pause = min(self._pause * 2, LAST_PAUSE)
        elif first is Outcome.RETURNED:
            self._on_absent(self)
            self._loop.call_later(ABSENT_PAUSE, self._probe)
        # LOST: connected() goes on

    def _probe(self) -> None:
        """Try the first slab alone."""
        if self._publisher is not None and self._window and not self._probing and self._going_back:
            self._probing = True
            self._send(self._window[0])

    def _go_on(self) -> None:
        """The probe got through: the others follow."""
        self._probing = self._going_back = False
        self._pause = FIRST_PAUSE
        for slab in self._window:
            self._send(slab)
