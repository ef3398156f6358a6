"""One shard: its queue, the instances that send to it, and the order of everything that happens to its accounts.

Theory of operation
-------------------
* Slabs come from the shard's queue in order and are applied one after the other, once (:mod:`vpin_state.deliveries`), entry
  by entry (:mod:`vpin_state.entries`).
* The shard becomes *active* with its first delivery (single active consumer: RabbitMQ serves one process). It then claims
  the shard in the database. Whoever held it before is fenced: its commits fail, and it ends.
* Whoever sends entries is an *instance*. One that the shard does not know is asked to announce its sessions; the entries
  themselves say enough to serve a session that was never announced.
* Once a second the process sends itself a TICK through the queue. An instance that was not heard for `SILENT_TICKS` of them
  is dead: its sessions are dropped. Time is measured in the queue, so a long queue or an absent broker kills nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog
from vpin_messages import tasks
from vpin_messages.slab import UP, Down, Up, down_entry
from vpin_store import StoreUnavailable

from vpin_state import dispatch, metrics, sessions
from vpin_state.deliveries import Deliveries
from vpin_state.session import Instance
from vpin_state.takeover import GRACE_TICKS, settle_left_behind, wake_timed

if TYPE_CHECKING:
    from vpin_state.effects import Effects
    from vpin_state.model import Account
    from vpin_state.owner import Owner

log = structlog.get_logger()

SILENT_TICKS = 5
FORGET_TICKS = 600
EVICT_TICKS = 60

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
        self._settle_at = 0  # tick at which what the last owner left behind is settled
        self.deliveries = Deliveries(self)

    async def start(self) -> None:
        await self.deliveries.start()

    async def stop(self) -> None:
        """Stop consuming; what is applied has been committed by the owner before."""
        await self.deliveries.stop()

    async def activate(self) -> None:
        """Claim the shard in the database and read what its last owner has left; StoreUnavailable."""
        if not await self.owner.store.claim(self.number, self.owner.sender):
            self._forget()
            for sender, number in (await self.owner.store.applied(self.number)).items():
                self._meet(sender, number)
            self.owner.publisher.publish_jobs(await self.owner.store.jobs([self.number]))
            self._settle_at = self.ticks + GRACE_TICKS
            await self.owner.campaigns.read()
            self.owner.spawn(wake_timed(self.owner, self.number))
        self.active = True
        metrics.shards_owned.inc()
        log.info("shard is owned here", shard=self.number, instances=len(self.instances))

    def _forget(self) -> None:
        """Drop all that is in memory: another process has been the owner meanwhile."""
        self.owner.forget_shard(self.number)
        self.instances.clear()
        self.outcomes.clear()

    def lost(self) -> None:
        """The connection to the bus was lost: another process may be served meanwhile."""
        if self.active:
            self.active = False  # claim again with the next delivery
            metrics.shards_owned.dec()

    def _meet(self, sender: bytes, applied: int) -> Instance:
        """A new instance: ask it for its sessions."""
        instance = Instance(sender, self.owner.ways.to_instance(sender), applied)
        instance.heard_at_tick = self.ticks
        self.instances[sender] = instance
        if sender != self.owner.sender:
            instance.outlet.add(down_entry(Down.ANNOUNCE, self.number))
        return instance

    # -- entries

    def instance_entry(self, kind: int, instance: Instance, number: int, payload: bytes) -> None:
        """An entry that concerns no account but its sender, or everybody."""
        if kind == Up.TICK:
            if instance.sender == self.owner.sender:
                self._tick()
        elif kind == Up.BYE:
            self._lose(instance)
        elif kind == Up.CAMPAIGNS:
            self.owner.spawn(self.owner.campaigns.read_for(instance, number))
        elif kind == Up.RESULT:
            status, message_id = int.from_bytes(payload[16:18], "big"), int.from_bytes(payload[18:20], "big")
            self._job_done(payload[:16], number, status, message_id)

    def gateway(self, sender: bytes) -> Instance:
        """The instance of that id."""
        return self.instances.get(sender) or self._meet(sender, 0)

    def perform(self, account: Account | None, number: int, payload: bytes) -> None:
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
        self.owner.clockwork.ticked(self.number)
        if self.ticks == self._settle_at:
            self.owner.spawn(settle_left_behind(self.owner, self.number))
        if self.ticks % EVICT_TICKS == 0:
            self.owner.memory.evict(self.number)

    def _lose(self, instance: Instance) -> None:
        """All sessions of the instance are gone."""
        for session in list(instance.sessions.values()):
            sessions.end(self.owner, session)

    async def load_missing(self, body: bytes, at: int) -> int:
        """Load every account that the slab needs from `at` on. Where the database is away, see :meth:`_refuse_unloaded`."""
        missing: set[int] = set()
        look = at
        while look + _SIZE <= len(body):
            entry = _unpack(body, look)
            if entry[3] not in self.owner.accounts and (entry[3] or look == at):
                missing.add(entry[3])
            look += _SIZE + entry[7]
        try:
            await self.owner.load(missing, self.number)
        except StoreUnavailable:
            return await self._refuse_unloaded(body, at)
        return at

    async def _refuse_unloaded(self, body: bytes, at: int) -> int:
        """The database is away: who wants in is sent away again; tasks and frames that were accepted wait until it is back."""
        kind, _, number, account_id, *_, length = _unpack(body, at)
        instance = self.instances[body[1:17]]
        if kind in (Up.FRAMES, Up.TASK):
            await self.owner.commits.patiently(lambda: self.owner.load({account_id}, self.number))
            return at
        if kind == Up.REQUEST:
            sessions.refuse_request(self.owner, instance, number)
        elif kind in (Up.OPEN, Up.ANNOUNCE):
            instance.outlet.add(down_entry(Down.CLOSE, number))
        return at + _SIZE + length
