"""Order over refusals, lost connections and take-overs: an outlet, a bounded queue and a receiver, step by step, no sockets."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable
from typing import Any, cast

from hypothesis import example, given, settings
from hypothesis import strategies as st
from vpin_bus import Queue
from vpin_bus.amqp.outlet import AmqpOutlet
from vpin_bus.amqp.publishing import Outcome, Publish, Publisher
from vpin_bus.amqp.sequence import Message, Sequencer, read_stamp
from vpin_bus.outlet import Turn

HEAD = struct.Struct(">Q")


class Clock:
    """Stands for the event loop: calls happen when the test says so."""

    def __init__(self) -> None:
        self.soon: deque[tuple[Callable[..., Any], tuple[Any, ...]]] = deque()

    def call_soon(self, callback: Callable[..., Any], *args: Any) -> None:
        self.soon.append((callback, args))

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any) -> None:
        self.soon.append((callback, args))

    def step(self) -> bool:
        if self.soon:
            callback, args = self.soon.popleft()
            callback(*args)
            return True
        return False


class Connection:
    """A publisher's connection: publishes on their way to the broker, outcomes on their way back."""

    def __init__(self) -> None:
        self.outward: deque[tuple[Publish, bytes, bytes]] = deque()
        self.back: deque[tuple[Publish, Outcome]] = deque()
        self.alive = True

    def may_publish(self, outlet: object) -> bool:
        return True  # one outlet alone: the line is empty

    def publish(self, publish: Publish, message_id: bytes, body: bytes, key: str) -> None:
        assert self.alive
        self.outward.append((publish, message_id, body))


class World:
    """One outlet, one broker's queue, one owner that commits what it applied, and is replaced at times."""

    def __init__(self, limit: int) -> None:
        self.clock = Clock()
        self.limit = limit
        self.ready: deque[tuple[bytes, bytes]] = deque()
        self.stragglers: list[Connection] = []  # lost, but the broker still reads what was sent
        self.connection: Connection | None = None
        self.entries = 0
        self.marks: list[AmqpOutlet] = []
        self.committed: list[int] = []  # entries, as the owner stored them
        self.committed_number = 0
        self.outlet = AmqpOutlet(
            Queue("q", single_active=True, max_messages=limit),
            Turn(cast(Any, self.clock)),
            HEAD.pack,
            1 << 20,
            1 << 10,
            None,
            on_absent=lambda outlet: None,
            on_tail=self.marks.append,
            on_close=lambda outlet: None,
        )
        self.new_owner()
        self.connect()

    def new_owner(self) -> None:
        self.unacked: list[tuple[bytes, bytes]] = []
        self.applied: list[int] = []
        self.applied_number = self.committed_number
        self.sequencer = Sequencer(self.apply, lambda message: self.unacked.remove(self.raw[message.tag]))
        self.raw: dict[int, tuple[bytes, bytes]] = {}

    def apply(self, message: Message) -> None:
        (number,) = HEAD.unpack_from(message.body)
        if number > self.applied_number:
            self.applied_number = number
            self.applied += message.body[HEAD.size :]

    def connect(self) -> None:
        if self.connection is None:
            self.connection = Connection()
            self.outlet.connected(cast(Publisher, self.connection))

    def lose(self) -> None:
        if self.connection is None:
            return
        lost, self.connection = self.connection, None
        lost.alive = False
        self.outlet.disconnected()
        unresolved = [publish for publish, _ in lost.back] + [publish for publish, _, _ in lost.outward]
        for publish in unresolved:
            publish.resolve(Outcome.LOST)
        self.stragglers.append(lost)

    def add(self) -> None:
        self.outlet.add(bytes([self.entries % 256]))
        self.entries += 1

    def broker_reads(self) -> bool:
        return self.connection is not None and self.broker_takes(self.connection)

    def broker_reads_straggler(self) -> bool:
        while self.stragglers and not self.stragglers[0].outward:
            self.stragglers.pop(0)
        return bool(self.stragglers) and self.broker_takes(self.stragglers[0])

    def broker_takes(self, connection: Connection) -> bool:
        if not connection.outward:
            return False
        publish, message_id, body = connection.outward.popleft()
        accepted = len(self.ready) < self.limit
        if accepted:
            self.ready.append((message_id, body))
        connection.back.append((publish, Outcome.ACCEPTED if accepted else Outcome.REFUSED))
        return True

    def confirm(self) -> bool:
        if self.connection is None or not self.connection.back:
            return False
        publish, outcome = self.connection.back.popleft()
        publish.resolve(outcome)
        return True

    def deliver(self) -> bool:
        if not self.ready:
            return False
        raw = self.ready.popleft()
        self.unacked.append(raw)
        tag = len(self.raw) + 1
        self.raw[tag] = raw
        self.sequencer.receive(Message(tag, False, raw[1], *read_stamp(raw[0])))
        return True

    def commit(self) -> bool:
        """The owner stores what it applied and acknowledges all it was given (what is held is not given yet)."""
        if self.sequencer.holding:
            return False
        self.committed += self.applied
        self.applied = []
        self.committed_number = self.applied_number
        self.unacked.clear()
        return True

    def take_over(self) -> None:
        self.ready.extendleft(reversed(self.unacked))
        self.new_owner()

    def reset(self) -> None:
        """The owner's connection is lost, the owner goes on: what it did not acknowledge comes again."""
        self.ready.extendleft(reversed(self.unacked))
        self.unacked.clear()
        self.sequencer.reset()

    def mark(self) -> bool:
        marks, self.marks[:] = list(self.marks), []
        for outlet in marks:
            outlet.mark()
        return bool(marks)

    def settle(self) -> None:
        """No more faults: everything that was added arrives."""
        self.connect()
        for _ in range(3000):
            steps = (self.clock.step, self.broker_reads, self.broker_reads_straggler, self.confirm, self.deliver)
            busy = [step() for step in steps]
            if not any(busy) and not (self.outlet.backlog == 0 and not self.mark()):
                continue
            if not any(busy) and not self.marks:
                break
        assert self.outlet.backlog == 0
        assert not self.sequencer.holding
        self.commit()


ACTIONS = (
    "add",
    "clock",
    "broker",
    "straggler",
    "confirm",
    "deliver",
    "commit",
    "lose",
    "connect",
    "take_over",
    "mark",
)
COMMON = ("add", "clock", "broker", "confirm", "deliver")
TAKE_OVER_AT_A_REFUSAL = [
    "add",
    "clock",
    "broker",
    "add",
    "clock",
    "add",
    "clock",
    "broker",
    "deliver",
    "commit",
    "broker",
    "take_over",
    "deliver",
    "commit",
]


@settings(max_examples=400, deadline=None)
@given(
    limit=st.integers(1, 6),
    actions=st.lists(st.sampled_from(ACTIONS) | st.sampled_from(COMMON), max_size=120),
)
@example(limit=1, actions=TAKE_OVER_AT_A_REFUSAL)
def test_every_entry_is_applied_once_and_in_order(limit: int, actions: list[str]) -> None:
    world = World(limit)
    steps: dict[str, Callable[[], object]] = {
        "add": world.add,
        "clock": world.clock.step,
        "broker": world.broker_reads,
        "straggler": world.broker_reads_straggler,
        "confirm": world.confirm,
        "deliver": world.deliver,
        "commit": world.commit,
        "lose": world.lose,
        "connect": world.connect,
        "take_over": world.take_over,
        "reset": world.reset,
        "mark": world.mark,
    }
    for action in actions:
        steps[action]()
    world.settle()
    assert world.committed == [number % 256 for number in range(world.entries)]
