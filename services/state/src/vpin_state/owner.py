"""The owner: this process's shards and accounts, the way of effects out of the core, and the group commit.

One commit at a time. It takes everything that is dirty at one moment, writes it in one transaction together with the numbers
of the slabs that caused it, then releases the answers that wait for it and acknowledges the slabs. A commit starts at the
latest `flush_ms` after the first change, at once when an answer waits, and early when many slabs wait.
While the database is away the same commit is tried again; sessions stay, values go on to apps, answers to changes wait.
If another process has claimed one of the shards, the store refuses the commit (`Fenced`): then what is in memory here is
worth nothing, and the process ends; its unacknowledged slabs go to the new owner.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

import structlog
from vpin_messages import entry, jobs, slab, tasks
from vpin_messages.entry import EntryAnswer
from vpin_messages.queues import NOTIFY, instance_queue, shard_queue
from vpin_messages.slab import Down, Side, Up, down_entry, up_entry
from vpin_protocol import APP_HEADER, HARDWARE_HEADER, Command, Status, app_response
from vpin_store import StoreUnavailable
from vpin_store.rows import AppliedRow, Changes

from vpin_state import dispatch, metrics, registry
from vpin_state.collect import collect
from vpin_state.effects import Effects
from vpin_state.load import build_account
from vpin_state.outbox import Outbox
from vpin_state.questions import Question, find_answer
from vpin_state.reading import Reader
from vpin_state.seeding import plant
from vpin_state.shard import Shard

if TYPE_CHECKING:
    from vpin_bus import Bus, Outlet
    from vpin_messages.tasks import Task
    from vpin_store import Store
    from vpin_store.rows import JobRow, TokenRow

    from vpin_state.config import Config
    from vpin_state.model import Account
    from vpin_state.session import Instance, Session

log = structlog.get_logger()

EARLY_SLABS = 1000
"""Slabs waiting for their commit that start one early."""
KEEP_SECONDS = 600.0
"""How long an account without sessions stays in memory."""
EVENTS_AT_ONCE = 100
MOST_TOKENS = 100_000
TICK_SECONDS = 1.0
RETRY_SECONDS = 0.25


class Owner:
    """All shards of one state process. `shard_of` accounts is computed by the senders; this process serves `numbers`."""

    def __init__(self, bus: Bus, store: Store, config: Config, numbers: list[int], shards: int, flush_ms: int) -> None:
        self.bus = bus
        self.store = store
        self.sender = slab.new_sender()
        self.shards = {number: Shard(self, number) for number in numbers}
        self.shard_count = shards
        self.accounts: dict[int, Account | None] = {}  # None: there is no such account
        self.tokens: dict[str, TokenRow] = {}  # of devices, as they were last looked up; see :meth:`look_up`
        self.outbox = Outbox()
        self.store_ready = True
        self.config = config
        self._fx = Effects(config)
        self._flush_seconds = flush_ms / 1000
        self._dirty: list[Account] = []
        self._reshaped: set[Account] = set()
        self._readers: dict[int, Reader] = {}  # by account
        self._marks = 0
        self._tokens_gone = 0
        self._outlets: dict[bytes, Outlet] = {}
        self._uplinks: dict[int, Outlet] = {}
        self._forgotten: list[tuple[int, bytes]] = []
        self._sent_jobs: list[str] = []
        self._jobs: asyncio.Queue[JobRow] = asyncio.Queue()
        self._events: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        self._work = asyncio.Event()
        self._urgent = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._stopping = False
        self._flusher: asyncio.Task[None] | None = None

    # -- life cycle

    async def start(self) -> None:
        registry.load()
        for number in self.shards:
            self._uplink(number)
        self._flusher = self.spawn(self._flush_for_ever())
        self.spawn(self._tick_for_ever())
        self.spawn(self._publish_jobs_for_ever())
        self.spawn(self._emit_for_ever())
        for shard in self.shards.values():
            await shard.start()

    async def stop(self) -> None:
        """Commit what is dirty, release what waits for it, then give the shards back."""
        self._stopping = True
        self._work.set()
        self._urgent.set()
        if self._flusher is not None:
            await asyncio.wait({self._flusher}, timeout=5)
        for shard in self.shards.values():
            await shard.stop()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def abandon(self) -> None:
        """End at once, committing nothing: what `kill -9` leaves behind (for tests of recovery)."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for shard in self.shards.values():
            await shard.stop()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run in the background; a fault that is not handled there ends the process, since its state is in doubt."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)
        return task

    def _task_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            log.critical("state service stops: unexpected fault", exc_info=fault)
            asyncio.get_running_loop().call_exception_handler({"message": "state service fault", "exception": fault})
            raise SystemExit(70)

    # -- what shards and handlers use

    def tell_time(self) -> int:
        """Now, in ms since 1970; handlers see the same."""
        now = time.time_ns() // 1_000_000
        self._fx.now = now
        return now

    def slow(self, session: Session, command: int, message_id: int, body: bytes) -> None:
        """Run the handler of one message that is not on the fast way."""
        account = session.account
        self._marks = account.marks
        dispatch.handle(self._fx, session, command, message_id, body)
        self.settle(account)

    def begin(self, account: Account, session: Session | None = None, message_id: int = 0) -> Effects:
        """Effects for something else than a message; call :meth:`settle` afterwards."""
        self._fx.begin(session, message_id)
        self._marks = account.marks
        return self._fx

    def settle(self, account: Account) -> bool:
        """Carry out what the handler wanted; whether its answer has to wait for the commit."""
        fx = self._fx
        if fx.jobs:
            for job in fx.jobs:
                account.mark().jobs.append((job.key, jobs.encode(job)))
            fx.jobs.clear()
        durable = fx.durable or account.marks != self._marks
        self.outbox.take(fx, durable)
        if durable:
            self.outbox.waited = True
            self._urgent.set()
            self._work.set()
        if fx.events:
            for event in fx.events:
                self._events.put_nowait(event)
            fx.events.clear()
        if fx.scheduled:
            for at, owner_account, action in fx.scheduled:
                self._run_at(at, owner_account, action)
            fx.scheduled.clear()
        if fx.questions:
            assert fx.session is not None
            for question, then in fx.questions:
                self.spawn(self._ask(account, fx.session, fx.message_id, question, then))
            fx.questions.clear()
        if fx.told or fx.outcomes:
            self._tell_connections(account, durable)
        return durable

    def _tell_connections(self, account: Account, durable: bool) -> None:
        """Answer clients that are not logged in; remember who waits for the outcome of a job."""
        fx, shard = self._fx, self.shards[account.shard]
        for connection, then in fx.outcomes:
            shard.outcomes[connection.gateway, connection.number] = (account, then)
        fx.outcomes.clear()
        for connection, status in fx.told:
            answer = entry.encode(EntryAnswer(frames=app_response(connection.message_id, status)))
            self.outbox.reply(shard.gateway(connection.gateway), connection.number, answer, durable, Down.ENTRY)
        fx.told.clear()

    async def _ask(
        self,
        account: Account,
        session: Session,
        message_id: int,
        question: Question,
        then: Callable[[Effects, Any], None],
    ) -> None:
        """Find the answer, then go on with the message, unless its sender is gone."""
        account.timers += 1
        try:
            found = await find_answer(question, self)
        except Exception as fault:
            if not isinstance(fault, StoreUnavailable):
                log.exception("a question has no answer", question=type(question).__name__, account=account.id)
            self.respond(session, message_id, Status.SERVER_ERROR)
            self.outbox.deliver()
            return
        finally:
            account.timers -= 1
        if session.closing or self.accounts.get(account.id) is not account:
            return
        self.tell_time()
        self._marks = account.marks
        dispatch.proceed(self._fx, session, message_id, then, found)
        self.settle(account)
        self.outbox.deliver()

    def hand_over(self, account_id: int, task: Task, connection: int = 0) -> Outlet:
        """Give a task to the owner of an account; the outlet tells when the bus has it for sure."""
        outlet = self._uplink(slab.shard_of(account_id, self.shard_count))
        outlet.add(up_entry(Up.TASK, connection, tasks.encode(task), account=account_id))
        return outlet

    def respond(self, session: Session, message_id: int, status: int) -> None:
        """Send a response that no handler is running for."""
        pack = HARDWARE_HEADER.pack if session.side == Side.HARDWARE else APP_HEADER.pack
        self.outbox.put(session, pack(Command.RESPONSE, message_id, status))

    def turn_away(self, instance: Instance, number: int, side: int, message_id: int, status: int) -> None:
        """Answer the log-in of a session that can't be opened, and close it."""
        pack = HARDWARE_HEADER.pack if side == Side.HARDWARE else APP_HEADER.pack
        instance.outlet.add(down_entry(Down.FRAMES, number, pack(Command.RESPONSE, message_id, status)))
        instance.outlet.add(down_entry(Down.CLOSE, number))

    def _uplink(self, shard: int) -> Outlet:
        """The way to the owner of a shard, of this process or another."""
        outlet = self._uplinks.get(shard)
        if outlet is None:
            outlet = self._uplinks[shard] = self.bus.outlet(shard_queue(shard), lambda n: slab.head(self.sender, n))
        return outlet

    def turn_down(self, instance: Instance, connection: int, message_id: int) -> None:
        """Tell a client that is not logged in that its account is gone."""
        answer = entry.encode(EntryAnswer(frames=app_response(message_id, Status.SERVER_ERROR)))
        self.outbox.reply(instance, connection, answer, durable=False, kind=Down.ENTRY)

    def outlet(self, sender: bytes) -> Outlet:
        """The way to an instance, one for all shards of this process."""
        outlet = self._outlets.get(sender)
        if outlet is None:
            outlet = self._outlets[sender] = self.bus.outlet(
                instance_queue(sender), lambda n: slab.head(self.sender, n)
            )
        return outlet

    def slab_applied(self, shard: Shard) -> None:
        metrics.slabs.inc()
        self._work.set()
        if shard.unacked >= EARLY_SLABS:
            self._urgent.set()

    async def look_up(self, tokens: set[str]) -> dict[str, TokenRow]:
        """Tokens in the database; those of devices are remembered in `tokens` until a commit here deletes them.

        One that another process has deleted may stay: the owner of its account refuses it.
        """
        if not tokens:
            return {}
        gone = self._tokens_gone
        found = await self.store.find_tokens(sorted(tokens))
        if gone == self._tokens_gone:
            if len(self.tokens) > MOST_TOKENS:
                self.tokens.clear()
            self.tokens.update((token, row) for token, row in found.items() if row.kind == "device")
        return found

    async def load(self, ids: set[int], shard: int) -> None:
        """Bring accounts into memory; StoreUnavailable when the database is away."""
        if not ids:
            return
        found = await self.store.load_accounts(sorted(ids))
        for account_id in ids:
            rows = found.get(account_id)
            account = build_account(rows, shard) if rows else None
            if account is not None:
                if plant(account, self.tell_time()):
                    await self._commit_seed(account)
                account.on_dirty = self._dirty
                account.reshaped = self._reshaped
                self._reshaped.add(account)
            self.accounts[account_id] = account
        metrics.accounts.set(len(self.accounts))

    async def _commit_seed(self, account: Account) -> None:
        """What a seed has become is committed before anybody sees it: its tokens have to let boards in at once."""
        changes = Changes(owner=self.sender, shards=[account.shard])
        collect(account, changes)
        await self.store.commit(changes)

    async def patiently(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do it, again and again while the database is away."""
        while True:
            try:
                return await work()
            except StoreUnavailable:
                self.store_ready = False
                await asyncio.sleep(RETRY_SECONDS)

    def evict(self, shard: int) -> None:
        """Forget accounts of the shard that nobody uses."""
        now = time.monotonic()
        for account_id, account in list(self.accounts.items()):
            if account is None:
                del self.accounts[account_id]
            elif account.shard == shard:
                if (
                    account.apps
                    or account.listed
                    or account.timers
                    or any(d.sessions for b in account.dashboards.values() for d in b.devices.values())
                ):
                    account.idle_since = 0.0
                elif not account.idle_since:
                    account.idle_since = now
                elif now - account.idle_since > KEEP_SECONDS:
                    del self.accounts[account_id]

    def read_pins(self, shard: int) -> None:
        """Ask boards of the shard for what displays want to read; once a second."""
        if self._reshaped:
            for account in self._reshaped:
                reader = Reader.of(account, self._readers.pop(account.id, None))
                if reader is not None:
                    self._readers[account.id] = reader
            self._reshaped.clear()
        for reader in [reader for reader in self._readers.values() if reader.account.shard == shard]:
            if self.accounts.get(reader.account.id) is not reader.account:
                del self._readers[reader.account.id]
                continue
            self.tell_time()
            reader.ask(self.begin(reader.account))
            self.settle(reader.account)

    def forget_shard(self, shard: int) -> None:
        """Another process owns the shard: drop its accounts, and all that waits for a commit here."""
        for account_id, account in list(self.accounts.items()):
            if account is None or account.shard == shard:
                del self.accounts[account_id]
        self._dirty[:] = [account for account in self._dirty if account.shard != shard]
        self.outbox.forget()

    def forget_instance(self, shard: int, sender: bytes) -> None:
        """An instance is long dead: its number need not be kept."""
        self._forgotten.append((shard, sender))
        if not any(sender in other.instances for other in self.shards.values()) and (
            outlet := self._outlets.pop(sender, None)
        ):
            outlet.close()

    def publish_jobs(self, rows: list[JobRow]) -> None:
        """Publish notification jobs that are committed."""
        for row in rows:
            self._jobs.put_nowait(row)

    def _run_at(self, at: int, account: Account, action: Callable[[Effects], None]) -> None:
        loop = asyncio.get_running_loop()
        delay = max(0, at - self._fx.now) / 1000
        account.timers += 1

        def run() -> None:
            account.timers -= 1
            if self.accounts.get(account.id) is account and self.shards[account.shard].active:
                self.tell_time()
                fx = self.begin(account)
                action(fx)
                self.settle(account)
                self.outbox.deliver()

        loop.call_later(delay, run)

    # -- background

    async def _tick_for_ever(self) -> None:
        tick = up_entry(Up.TICK)
        while True:
            for number in self.shards:
                outlet = self._uplinks[number]
                if not outlet.backlog:
                    outlet.add(tick)
            await asyncio.sleep(TICK_SECONDS)

    async def _publish_jobs_for_ever(self) -> None:
        while True:
            row = await self._jobs.get()
            await self.bus.publish(NOTIFY, row.body)
            self._sent_jobs.append(row.key)
            self._work.set()

    async def _emit_for_ever(self) -> None:
        while True:
            events = [await self._events.get()]
            while not self._events.empty() and len(events) < EVENTS_AT_ONCE:
                events.append(self._events.get_nowait())
            await asyncio.gather(*(self.bus.emit(key, body) for key, body in events))

    async def _flush_for_ever(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            if not self._urgent.is_set() and not self._stopping:
                try:
                    async with asyncio.timeout(self._flush_seconds):
                        await self._urgent.wait()
                except TimeoutError:
                    pass
            self._urgent.clear()
            await self._flush()
            if self._stopping and not self._dirty and not self.outbox.waited:
                return

    async def _flush(self) -> None:
        """One commit of everything that is dirty now."""
        changes, done = self._collect()
        number = self.outbox.next_commit
        self.outbox.next_commit += 1
        self.outbox.waited = False
        if changes:
            started = time.perf_counter()
            await self._commit(changes)
            metrics.commit_seconds.observe(time.perf_counter() - started)
            metrics.commits.inc()
            metrics.commit_rows.inc(len(changes.values))
        if changes.deleted_tokens:
            self._tokens_gone += 1
            for token in changes.deleted_tokens:
                self.tokens.pop(token, None)
        self.outbox.release(number)
        for shard, tag, slabs in done:
            shard.ack(tag, slabs)
        self.publish_jobs(changes.jobs)

    def _collect(self) -> tuple[Changes, list[tuple[Shard, int, int]]]:
        changes = Changes()
        done = [(shard, shard.last_tag, shard.unacked) for shard in self.shards.values() if shard.unacked]
        accounts, self._dirty[:] = self._dirty[:], []
        for account in accounts:
            collect(account, changes)
        if self._sent_jobs or self._forgotten:
            changes.deleted_jobs, self._sent_jobs = self._sent_jobs, []
            changes.deleted_applied, self._forgotten = self._forgotten, []
        if changes:
            changes.owner = self.sender
            changes.shards = sorted(
                {a.shard for a in accounts} | {n for n, shard in self.shards.items() if shard.active}
            )
            for number in changes.shards:
                for instance in self.shards[number].instances.values():
                    if instance.applied > instance.saved:
                        instance.saved = instance.applied
                        changes.applied.append(AppliedRow(number, instance.sender, instance.applied))
        return changes, done

    async def _commit(self, changes: Changes) -> None:
        while True:
            try:
                await self.store.commit(changes)
            except StoreUnavailable:
                if self.store_ready:
                    log.warning("the database is away, changes wait", values=len(changes.values))
                self.store_ready = False
                metrics.commit_failures.inc()
                await asyncio.sleep(RETRY_SECONDS)
            else:
                if not self.store_ready:
                    log.info("the database is back")
                self.store_ready = True
                return
