"""The entry: log-ins, registrations and what else a client may ask before it has a session. Any state process serves it.

Tokens of boards are looked up in one query at a time, for all boards that came while the one before was running; of boards
by MQTT, whose owners are looked up too, each on its own (:mod:`vpin_state.mqtt_entry`).
Passwords are verified in threads, and a credential
that was just verified is remembered for some minutes, so that a reconnect storm costs no argon2.
After repeated failures the log-ins of an account are answered slowly, but they are answered.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import structlog
from vpin_bus import Delivery
from vpin_messages import entry, jobs, slab
from vpin_messages.entry import EntryAnswer, EntryBatch, EntryRequest, Grant, Opening, Provision
from vpin_messages.queues import ENTRY, NOTIFY
from vpin_messages.slab import BOARDS, Down, Side, down_entry
from vpin_protocol import Status, app_response, hardware_response
from vpin_store import StoreUnavailable

from vpin_state import metrics
from vpin_state.accounts import AppEntry
from vpin_state.mqtt_entry import MqttEntry

if TYPE_CHECKING:
    from vpin_bus import Bus, Consumer, Outlet
    from vpin_messages.jobs import Job
    from vpin_store import Store
    from vpin_store.rows import TokenRow

    from vpin_state.owner import Owner
    from vpin_state.settings import EntrySettings

log = structlog.get_logger()

TOKEN_LENGTH = 32
STRIP = bytes(range(33))
"""White space and control characters around a token (spec 01, 3.1)."""


class Entry:
    """Consumer of the entry queue."""

    def __init__(self, bus: Bus, store: Store, owner: Owner, settings: EntrySettings) -> None:
        self._bus = bus
        self._store = store
        self._owner = owner
        self._apps = AppEntry(store, settings, owner.hand_over, self._post)
        self._mqtt = MqttEntry(store, owner.memory.look_up)
        self._consumer: Consumer | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._boards: list[tuple[Outlet, EntryRequest, str]] = []  # with their tokens, wait for the next look-up
        self._looking_up = asyncio.Lock()

    async def start(self) -> None:
        self._consumer = await self._bus.consume(ENTRY, self._on_delivery, prefetch=200)

    async def stop(self) -> None:
        if self._consumer is not None:
            await self._consumer.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=3)

    def _on_delivery(self, delivery: Delivery) -> None:
        """Answer at once the boards whose tokens are known; whatever else takes a task."""
        apps: list[tuple[Outlet, EntryRequest, bytes]] = []
        strangers = False
        known = self._owner.memory.tokens
        for batch in batches(delivery.body):
            outlet = self._owner.ways.to_instance(batch.gateway)
            for request in batch.requests:
                if request.side != Side.HARDWARE:
                    apps.append((outlet, request, batch.gateway))
                elif (row := known.get(token := _token(request.body))) is not None:
                    _send(outlet, request, _board_answer(request, token, row))
                else:
                    strangers = True
                    self._boards.append((outlet, request, token))
        if apps or strangers:
            task = asyncio.get_running_loop().create_task(self._answer(delivery.tag, apps, strangers))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif self._consumer is not None:
            self._consumer.ack_one(delivery.tag)

    async def _answer(self, tag: int, apps: list[tuple[Outlet, EntryRequest, bytes]], strangers: bool) -> None:
        """Answer the rest of one message, boards together, apps each on its own; then acknowledge."""
        waits = [self._app(*request) for request in apps]
        if strangers:
            waits.append(self._all_boards())
        await asyncio.gather(*waits)
        if self._consumer is not None:
            self._consumer.ack_one(tag)

    async def _all_boards(self) -> None:
        """Answer the boards that wait, together with those that come while others' tokens are looked up."""
        async with self._looking_up:
            boards, self._boards = self._boards, []
            if not boards:
                return
            wanted = {token for _, _, token in boards if token}
            try:
                found = await self._owner.memory.look_up(wanted)
            except StoreUnavailable:
                metrics.logins.labels("unavailable").inc(len(boards))
                for outlet, request, _ in boards:  # the board comes again by itself
                    _send(outlet, request, EntryAnswer(close=True))
                return
            for outlet, request, token in boards:
                _send(outlet, request, _board_answer(request, token, found.get(token)))

    def _post(self, job: Job) -> None:
        """Publish a notification that nobody waits for."""
        task = asyncio.get_running_loop().create_task(self._bus.publish(NOTIFY, jobs.encode(job)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _app(self, outlet: Outlet, request: EntryRequest, gateway: bytes) -> None:
        delay = 0.0
        try:
            if request.side == Side.MQTT:
                answer, delay = await self._mqtt.answer(request)
            else:
                delay = self._apps.delay(request)
                answer = await self._apps.answer(request, gateway)
        except StoreUnavailable:
            answer = _failed(request)
        except Exception:
            log.exception("entry failed", command=request.command)
            answer = _failed(request)
        if answer is not None and delay:  # the message that it came with does not wait to be acknowledged
            asyncio.get_running_loop().call_later(delay, _send, outlet, request, answer)
        elif answer is not None:
            _send(outlet, request, answer)


def batches(body: bytes) -> Iterator[EntryBatch]:
    """The batches of one message: each a u32 length and a msgpack EntryBatch."""
    at = 0
    while at + 4 <= len(body):
        length = int.from_bytes(body[at : at + 4], "big")
        at += 4
        yield entry.decode_batch(body[at : at + length])
        at += length


def _board_answer(request: EntryRequest, token: str, row: TokenRow | None) -> EntryAnswer:
    """A grant for the token of a device, or for one that makes the device; else 9."""
    if row is None or not _lets_in(row):
        metrics.logins.labels("invalid token").inc()
        return EntryAnswer(frames=hardware_response(request.message_id, Status.INVALID_TOKEN))
    metrics.logins.labels("ok").inc()
    opening = Opening(request.message_id, request.command, request.address)
    if row.kind == "provision":
        opening.provision = Provision(token, row.body)
    grant = Grant(row.account_id, row.dash_id, row.device_id, slab.credential(token), entry.encode(opening))
    return EntryAnswer(grant=grant)


def _failed(request: EntryRequest) -> EntryAnswer:
    """The database is away, or the fault is ours."""
    response = hardware_response if request.side in BOARDS else app_response
    return EntryAnswer(frames=response(request.message_id, Status.SERVER_ERROR))


def _lets_in(row: TokenRow) -> bool:
    """Whether a board may come in with a token: a device's, or one that makes the device and is not too old."""
    return row.kind == "device" or (row.kind == "provision" and row.expires_at > time.time_ns() // 1_000_000)


def _token(body: bytes) -> str:
    """The token of a log-in, "" where it can be none (spec 01, 3.1)."""
    raw = body.strip(STRIP)
    return raw.decode("ascii", errors="replace") if len(raw) == TOKEN_LENGTH else ""


def _send(outlet: Outlet, request: EntryRequest, answer: EntryAnswer) -> None:
    outlet.add(down_entry(Down.ENTRY, request.session, entry.encode(answer)))
