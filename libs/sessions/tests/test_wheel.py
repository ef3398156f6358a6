"""Time-outs by buckets; the clock is the test's."""

from __future__ import annotations

from math import inf

from hypothesis import given
from hypothesis import strategies as st
from vpin_sessions.wheel import TICK, Wheel


class Client:
    def __init__(self, due: float) -> None:
        self.due = due
        self.wake = 0
        self.looks = 0
        self.expired: list[float] = []

    def deadline(self) -> float:
        self.looks += 1
        return self.due

    def expire(self) -> None:
        self.expired.append(self.due)


def test_nobody_expires_early_and_everybody_in_time():
    wheel, clients = Wheel(), [Client(n / 7) for n in range(1, 100)]
    for client in clients:
        wheel.watch(client)
    for step in range(200):
        now = step * TICK / 2
        wheel.sweep(now)
        assert not any(client.expired for client in clients if client.due > now)
        assert all(client.expired for client in clients if client.due < now - 2 * TICK)


def test_who_was_heard_of_is_looked_at_once_per_idle_time():
    wheel, client = Wheel(), Client(23.0)
    wheel.watch(client)
    for step in range(1, 4 * 230):
        client.due = step * TICK + 23.0
        wheel.sweep(step * TICK)
    assert not client.expired
    assert client.looks <= 2 + 2 * 10


def test_a_nearer_deadline_counts_once_it_is_told():
    wheel, client = Wheel(), Client(300.0)
    wheel.watch(client)
    client.due = 2.0
    wheel.watch(client)
    wheel.sweep(2.5)
    assert client.expired == [2.0]
    client.due = 1000.0
    wheel.sweep(301.0)
    assert client.expired == [2.0]


def test_no_deadline_and_a_past_one():
    wheel, never, late = Wheel(), Client(inf), Client(-5.0)
    wheel.sweep(10.0)
    wheel.watch(never)
    wheel.watch(late)
    wheel.sweep(10.0 + 2 * TICK)
    assert not never.expired
    assert late.expired == [-5.0]


@given(st.lists(st.tuples(st.floats(0.1, 30), st.booleans()), max_size=30))
def test_who_is_forgotten_never_expires(wanted):
    wheel, clients = Wheel(), [(Client(due), gone) for due, gone in wanted]
    for client, _ in clients:
        wheel.watch(client)
    for client, gone in clients:
        if gone:
            wheel.forget(client)
            wheel.forget(client)
    wheel.sweep(31.0)
    assert all(bool(client.expired) is not gone for client, gone in clients)
