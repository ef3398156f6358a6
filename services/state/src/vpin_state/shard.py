"""One shard: its queue, the instances that send to it, and the order of everything that happens to its accounts.

Theory of operation
-------------------
* Slabs come from the shard's queue in order and are applied one after the other. Where an entry concerns an account that is
  not in memory, the rest of the slab and all later ones wait until the account is loaded: order is never given up.
* A slab is applied once: `Instance.applied` is the number of the sender's last slab. It is committed together with what the
  slab changed, so a slab that comes again after a crash is known.
* The shard becomes *active* with its first delivery (single active consumer: RabbitMQ serves one process). It then claims
  the shard in the database. Whoever held it before is fenced: its commits fail, and it ends.
* Whoever sends entries is an *instance*. One that the shard does not know is asked to announce its sessions; the entries
  themselves say enough to serve a session that was never announced.
* Once a second the process sends itself a TICK through the queue. An instance that was not heard for `SILENT_TICKS` of them
  is dead: its sessions are dropped. Time is measured in the queue, so a long queue or an absent broker kills nobody.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog
from vpin_bus import Delivery
from vpin_messages import tasks
from vpin_messages.entry import decode_opening
from vpin_messages.queues import shard_queue
from vpin_messages.slab import HEAD, UP, Down, Side, SlabError, Up, down_entry, read_head
from vpin_messages.stream import decode_interest
from vpin_store import StoreUnavailable

from vpin_state import dispatch, metrics, sessions
from vpin_state.origins import ByApp
from vpin_state.requests import answer_request
from vpin_state.session import Instance
from vpin_state.walk import app_frames, hardware_frames

if TYPE_CHECKING:
    from vpin_bus import Consumer

    from vpin_state.effects import Effects
    from vpin_state.model import Account
    from vpin_state.owner import Owner

log = structlog.get_logger()

SILENT_TICKS = 5
FORGET_TICKS = 600
EVICT_TICKS = 60
PREFETCH = 30_000
"""Slabs that may wait for their commit: enough for the database to be away for a while without values standing still."""

_FRAMES = int(Up.FRAMES)
_HARDWARE = int(Side.HARDWARE)
_unpack = UP.unpack_from
_SIZE = UP.size


class Shard:
    """The shard `number` of this process; see above."""

    def __init__(self, owner: Owner, number: int) -> None:
        self.owner = owner
        self.number = number
        self.active = False
        self.outcomes: dict[tuple[bytes, int], tuple[Account, Callable[[Effects, int], None]]] = {}
        """Who waits, before its log-in, for the outcome of a job: (gateway, connection) → account, what to do then."""
        self.instances: dict[bytes, Instance] = {}
        self.ticks = 0
        self.last_tag = 0  # newest delivery that is applied
        self.unacked = 0  # deliveries applied and not yet acknowledged
        self._waiting: deque[Delivery] = deque()
        self._loading: asyncio.Task[None] | None = None
        self._consumer: Consumer | None = None

    async def start(self) -> None:
        self._consumer = await self.owner.bus.consume(
            shard_queue(self.number), self._on_delivery, prefetch=PREFETCH, on_reset=self._on_reset
        )

    async def stop(self) -> None:
        """Stop consuming; what is applied has been committed by the owner before."""
        if self._consumer is not None:
            await self._consumer.cancel()
        if self._loading is not None:
            self._loading.cancel()

    def ack(self, tag: int, slabs: int) -> None:
        """Everything up to `tag` is committed; `slabs` of them were not acknowledged before."""
        self.unacked = max(0, self.unacked - slabs)
        if self._consumer is not None and slabs:
            self._consumer.ack(tag)

    # -- deliveries, in order

    def _on_delivery(self, delivery: Delivery) -> None:
        if self._loading is not None or not self.active:
            self._waiting.append(delivery)
            if self._loading is None:
                self._loading = self.owner.spawn(self._catch_up())
            return
        at = self._begin(delivery)
        at = self._walk(delivery.body, at)
        if at < len(delivery.body):
            self._loading = self.owner.spawn(self._catch_up(delivery, at))
        else:
            self._done(delivery)

    async def _catch_up(self, delivery: Delivery | None = None, at: int = 0) -> None:
        """Become active and load the accounts that the waiting slabs need, applying them in order."""
        while True:
            if not self.active:
                await self.owner.commits.patiently(self._activate)
            if delivery is None:
                if not self._waiting:
                    break
                delivery = self._waiting.popleft()
                at = self._begin(delivery)
            at = self._walk(delivery.body, at)
            if at < len(delivery.body):
                at = await self._load_missing(delivery.body, at)
            else:
                self._done(delivery)
                delivery = None
        self._loading = None

    async def _activate(self) -> None:
        if not await self.owner.store.claim(self.number, self.owner.sender):
            self._forget()
            for sender, number in (await self.owner.store.applied(self.number)).items():
                self._meet(sender, number)
            self.owner.publisher.publish_jobs(await self.owner.store.jobs([self.number]))
        self.active = True
        metrics.shards_owned.inc()
        log.info("shard is owned here", shard=self.number, instances=len(self.instances))

    def _forget(self) -> None:
        """Drop all that is in memory: another process has been the owner meanwhile."""
        self.owner.forget_shard(self.number)
        self.instances.clear()
        self.outcomes.clear()

    def _on_reset(self) -> None:
        """The connection was lost: unacknowledged deliveries come again, perhaps to another process."""
        self._waiting.clear()
        self.unacked = 0
        if self.active:
            self.active = False  # claim again with the next delivery
            metrics.shards_owned.dec()

    def _begin(self, delivery: Delivery) -> int:
        """Where to start in the slab; its end when it was applied before."""
        try:
            sender, number = read_head(delivery.body)
        except SlabError:
            metrics.slabs_malformed.inc()
            return len(delivery.body)
        instance = self.instances.get(sender)
        if instance is None:
            instance = self._meet(sender, 0)
        instance.heard_at_tick = self.ticks
        if number <= instance.applied:
            metrics.slabs_repeated.inc()
            return len(delivery.body)
        instance.applied = number
        return HEAD.size

    def _done(self, delivery: Delivery) -> None:
        self.last_tag = delivery.tag
        self.unacked += 1
        self.owner.commits.slab_applied(self)

    def _meet(self, sender: bytes, applied: int) -> Instance:
        """A new instance: ask it for its sessions."""
        instance = Instance(sender, self.owner.ways.to_instance(sender), applied)
        instance.heard_at_tick = self.ticks
        self.instances[sender] = instance
        if sender != self.owner.sender:
            instance.outlet.add(down_entry(Down.ANNOUNCE, self.number))
        return instance

    # -- entries

    def _walk(self, body: bytes, at: int) -> int:
        """Apply entries from `at` on; returns where it stopped: the end, or an entry whose account is not in memory."""
        end = len(body)
        if at >= end:
            return end
        owner = self.owner
        now = owner.tell_time()
        instance = self.instances[body[1:17]]
        found = instance.sessions
        accounts = owner.accounts
        outbox = owner.outbox
        slow = owner.slow
        while at < end:
            kind, side, number, account_id, dash, device, credential, length = _unpack(body, at)
            start = at + _SIZE
            stop = start + length
            if kind == _FRAMES:
                session = found.get(number)
                if session is None:
                    if account_id not in accounts:
                        break
                    account = accounts[account_id]
                    session = sessions.resume(owner, instance, account, side, number, dash, device, credential, None)
                if session is not None and not session.closing:
                    if side == _HARDWARE:
                        hardware_frames(session, body, start, stop, now, outbox, slow)
                        assert session.device is not None
                        session.device.data_received_at = now
                    else:
                        app_frames(session, body, start, stop, ByApp(now), outbox, slow)
            elif kind >= Up.HEARTBEAT and kind not in (Up.REQUEST, Up.TASK, Up.WATCH):
                self._instance_entry(kind, instance, number, body[start:stop])
            else:
                if account_id not in accounts:
                    break
                account = accounts[account_id]
                payload = body[start:stop]
                if kind == Up.REQUEST:
                    answer_request(owner, instance, account, number, dash, device, credential, payload)
                elif kind == Up.TASK:
                    self._perform(account, number, payload)
                elif kind == Up.WATCH:
                    owner.watches.take(instance, account, account_id, number, decode_interest(payload))
                elif kind == Up.CLOSED:
                    if (session := found.get(number)) is not None:
                        sessions.end(owner, session)
                else:
                    opening = decode_opening(payload)
                    if kind == Up.OPEN:
                        sessions.open_session(owner, instance, account, side, number, dash, device, credential, opening)
                    elif number not in found:
                        sessions.resume(owner, instance, account, side, number, dash, device, credential, opening)
            at = stop
        if owner.watches:
            owner.watches.gather(self.number)
        outbox.deliver()
        return at

    def _instance_entry(self, kind: int, instance: Instance, number: int, payload: bytes) -> None:
        if kind == Up.TICK:
            if instance.sender == self.owner.sender:
                self._tick()
        elif kind == Up.BYE:
            self._lose(instance)
        elif kind == Up.RESULT:
            status, message_id = int.from_bytes(payload[16:18], "big"), int.from_bytes(payload[18:20], "big")
            self._job_done(payload[:16], number, status, message_id)

    def gateway(self, sender: bytes) -> Instance:
        """The instance of that id."""
        return self.instances.get(sender) or self._meet(sender, 0)

    def _perform(self, account: Account | None, number: int, payload: bytes) -> None:
        """A task for the owner of the account; of one that is gone, only its connection is told so."""
        task = tasks.decode(payload)
        if account is None:
            if number:
                self.owner.turn_down(self.gateway(task.gateway), number, task.message_id)
            return
        dispatch.perform(self.owner.begin(account), account, number, task)
        self.owner.settle(account)

    def _job_done(self, sender: bytes, number: int, status: int, message_id: int) -> None:
        """The first attempt at a job is through: tell the session that waits, or do what a connection waits for."""
        waiting = self.outcomes.pop((sender, number), None)
        if waiting is not None:
            account, then = waiting
            if self.owner.accounts.get(account.id) is account:
                then(self.owner.begin(account), status)
                self.owner.settle(account)
            return
        gateway = self.instances.get(sender)
        session = gateway.sessions.get(number) if gateway else None
        if session is not None:
            self.owner.respond(session, message_id, status)

    # -- liveness

    def _tick(self) -> None:
        self.ticks += 1
        for instance in list(self.instances.values()):
            silent = self.ticks - instance.heard_at_tick
            if silent > SILENT_TICKS and (instance.sessions or silent > FORGET_TICKS):
                if instance.sessions:
                    log.warning(
                        "instance is silent, its sessions are dropped",
                        shard=self.number,
                        sessions=len(instance.sessions),
                    )
                self._lose(instance)
                if silent > FORGET_TICKS:
                    del self.instances[instance.sender]
                    self.owner.forget_instance(self.number, instance.sender)
        self.owner.read_pins(self.number)
        if self.ticks % EVICT_TICKS == 0:
            self.owner.memory.evict(self.number)

    def _lose(self, instance: Instance) -> None:
        """All sessions of the instance are gone."""
        for session in list(instance.sessions.values()):
            sessions.end(self.owner, session)

    async def _load_missing(self, body: bytes, at: int) -> int:
        """Load every account that the slab needs from `at` on. Where the database is away, see :meth:`_refuse_unloaded`."""
        missing: set[int] = set()
        look = at
        while look < len(body):
            entry = _unpack(body, look)
            if entry[3] and entry[3] not in self.owner.accounts:
                missing.add(entry[3])
            look += _SIZE + entry[7]
        try:
            await self.owner.load(missing, self.number)
        except StoreUnavailable:
            return await self._refuse_unloaded(body, at)
        return at

    async def _refuse_unloaded(self, body: bytes, at: int) -> int:
        """The database is away: who wants in is sent away again, but frames that were accepted wait until it is back."""
        kind, _, number, account_id, *_, length = _unpack(body, at)
        instance = self.instances[body[1:17]]
        if kind == Up.FRAMES:
            await self.owner.commits.patiently(lambda: self.owner.load({account_id}, self.number))
            return at
        if kind == Up.REQUEST:
            sessions.refuse_request(self.owner, instance, number)
        elif kind in (Up.OPEN, Up.ANNOUNCE):
            instance.outlet.add(down_entry(Down.CLOSE, number))
        return at + _SIZE + length
