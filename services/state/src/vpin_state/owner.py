"""The owner: this process's shards, and the way of effects out of the core.

What a handler wants is carried out here: sends go to the outbox, jobs into the rows of the next commit, questions are
answered beside the loop. The accounts are in :mod:`vpin_state.memory`, the group commit in :mod:`vpin_state.commits`, what is
done by the clock in :mod:`vpin_state.clockwork`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import structlog
from vpin_messages import entry, jobs, slab, tasks
from vpin_messages.entry import EntryAnswer
from vpin_messages.slab import BOARDS, Down, Side, Up, down_entry, up_entry
from vpin_messages.tasks import Task
from vpin_protocol import APP_HEADER, HARDWARE_HEADER, Command, Status, app_response
from vpin_store import StoreUnavailable

from vpin_state import dispatch, registry
from vpin_state.campaigns import Campaigns
from vpin_state.clockwork import Clockwork
from vpin_state.commits import Commits
from vpin_state.deletions import Deletions
from vpin_state.effects import Effects
from vpin_state.handlers.deleting import DELETE
from vpin_state.handlers.purging import PURGE
from vpin_state.memory import Memory
from vpin_state.outbox import Outbox
from vpin_state.publishing import Publisher
from vpin_state.purging import Purging
from vpin_state.questions import Question, find_answer
from vpin_state.rolling import Rolling
from vpin_state.shard import Shard
from vpin_state.watches import Watches
from vpin_state.ways import Ways

if TYPE_CHECKING:
    from vpin_bus import Bus, Outlet
    from vpin_store import Store

    from vpin_state.config import Config
    from vpin_state.model import Account
    from vpin_state.session import Instance, Session

log = structlog.get_logger()

TURN_SECONDS = 0.002
"""What messages that need a handler may take of one turn of the loop: sockets and other shards wait for that long."""


class Owner:
    """All shards of one state process. `shard_of` accounts is computed by the senders; this process serves `numbers`."""

    def __init__(self, bus: Bus, store: Store, config: Config, numbers: list[int], shards: int, flush_ms: int) -> None:
        self.bus = bus
        self.store = store
        self.config = config
        self.sender = slab.new_sender()
        self.shards = {number: Shard(self, number) for number in numbers}
        self.shard_count = shards
        self.ways = Ways(bus, self.sender)
        self.memory = Memory(store, self.sender)
        self.accounts = self.memory.accounts
        self.outbox = Outbox()
        self.watches = Watches(self)
        self.campaigns = Campaigns(self)
        self.publisher = Publisher(bus, lambda key: self.commits.job_sent(key))
        self.commits = Commits(
            store,
            self.sender,
            self.shards,
            self.memory,
            self.outbox,
            flush_ms,
            self.publisher,
            tells_values=config.tells_values,
        )
        self.rolling = Rolling(
            store.history,
            self.sender,
            self.shards,
            Purging(store.history, shards, lambda account_id: self.hand_over(account_id, Task(PURGE, []))),
            raw_days=config.raw_days,
            minute_days=config.minute_days,
        )
        self.deletions = Deletions(
            store, self.shards, shards, lambda account_id: self.hand_over(account_id, Task(DELETE, []))
        )
        self.clockwork = Clockwork(self)
        self._fx = Effects(config)
        self._fx.campaigns = self.campaigns.rows
        self.tired = False  # see :meth:`is_others_turn`
        self._turn_ends = 0.0  # 0: no slow message yet
        self._marks = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._committing: asyncio.Task[None] | None = None

    # -- life cycle

    async def start(self) -> None:
        registry.load()
        for number in self.shards:
            self.ways.to_shard(number)
        self._committing = self.spawn(self.commits.run())
        self.spawn(self.clockwork.tick_for_ever())
        self.spawn(self.publisher.publish_jobs_for_ever())
        self.spawn(self.publisher.emit_for_ever())
        for shard in self.shards.values():
            await shard.start()

    async def stop(self) -> None:
        """Commit what is dirty, release what waits for it, then give the shards back."""
        self.commits.stop()
        if self._committing is not None:
            await asyncio.wait({self._committing}, timeout=5)
        for shard in self.shards.values():
            await shard.stop()
        self.watches.stop()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def abandon(self) -> None:
        """End at once, committing nothing: what `kill -9` leaves behind (for tests of recovery)."""
        self.watches.stop()
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

    def slow(self, session: Session, command: int, message_id: int, body: bytes) -> bool:
        """Run the handler of one message that is not on the fast way; whether the walk should stop behind it."""
        account = session.account
        self._marks = account.marks
        dispatch.handle(self._fx, session, command, message_id, body)
        self.settle(account)
        return session.closing or self.is_others_turn()

    def is_others_turn(self) -> bool:
        """Whether slow messages have had their time of this turn of the loop; `tired` says so too, until the next turn."""
        now = time.perf_counter()
        if not self._turn_ends:
            self._turn_ends = now + TURN_SECONDS
            asyncio.get_running_loop().call_soon(self.new_turn)
        self.tired = now > self._turn_ends
        return self.tired

    def new_turn(self) -> None:
        """Time is counted anew."""
        self._turn_ends = 0.0
        self.tired = False

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
            self.commits.start_now()
        if fx.events:
            self.publisher.emit(fx.events)
            fx.events.clear()
        if fx.scheduled:
            for at, owner_account, action in fx.scheduled:
                self.clockwork.run_after(at - fx.now, owner_account, action)
            fx.scheduled.clear()
        if fx.questions:
            for question, then in fx.questions:
                self.spawn(self._ask(account, fx.session, fx.message_id, question, then))
            fx.questions.clear()
        if fx.told or fx.outcomes:
            self._tell_connections(account, durable)
        if account.gone:
            self.watches.account_gone(account)
            self.memory.bury(account)
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
        session: Session | None,
        message_id: int,
        question: Question,
        then: Callable[[Effects, Any], None],
    ) -> None:
        """Find the answer, then go on with the message (unless its sender is gone) or, without a session, the task."""
        account.timers += 1
        try:
            found = await find_answer(question, self)
        except Exception as fault:
            if not isinstance(fault, StoreUnavailable):
                log.exception("a question has no answer", question=type(question).__name__, account=account.id)
            if session is not None:
                self.respond(session, message_id, Status.SERVER_ERROR)
                self.outbox.deliver()
            return
        finally:
            account.timers -= 1
        if (session is not None and session.closing) or self.accounts.get(account.id) is not account:
            return
        self.tell_time()
        self._marks = account.marks
        dispatch.proceed(self._fx, account, session, message_id, then, found)
        self.settle(account)
        self.outbox.deliver()

    def hand_over(self, account_id: int, task: Task, connection: int = 0) -> Outlet:
        """Give a task to the owner of an account; the outlet tells when the bus has it for sure."""
        outlet = self.ways.to_shard(slab.shard_of(account_id, self.shard_count))
        outlet.add(up_entry(Up.TASK, connection, tasks.encode(task), account=account_id))
        return outlet

    def respond(self, session: Session, message_id: int, status: int) -> None:
        """Send a response that no handler is running for."""
        pack = HARDWARE_HEADER.pack if session.side == Side.HARDWARE else APP_HEADER.pack
        self.outbox.put(session, pack(Command.RESPONSE, message_id, status))

    def turn_away(self, instance: Instance, number: int, side: int, message_id: int, status: int) -> None:
        """Answer the log-in of a session that can't be opened, and close it."""
        pack = HARDWARE_HEADER.pack if side in BOARDS else APP_HEADER.pack
        instance.outlet.add(down_entry(Down.FRAMES, number, pack(Command.RESPONSE, message_id, status)))
        instance.outlet.add(down_entry(Down.CLOSE, number))

    def turn_down(self, instance: Instance, connection: int, message_id: int) -> None:
        """Tell a client that is not logged in that its account is gone."""
        answer = entry.encode(EntryAnswer(frames=app_response(message_id, Status.SERVER_ERROR)))
        self.outbox.reply(instance, connection, answer, durable=False, kind=Down.ENTRY)

    async def load(self, ids: set[int], shard: int) -> None:
        """Bring accounts into memory; StoreUnavailable when the database is away."""
        await self.memory.load(ids, shard, self.tell_time())

    def forget_shard(self, shard: int) -> None:
        """Another process owns the shard: drop its accounts, and all that waits for a commit here."""
        self.watches.forget_shard(shard)
        self.memory.forget(shard)
        self.outbox.forget(self.shards[shard].instances.values())

    def forget_instance(self, shard: int, sender: bytes) -> None:
        """An instance is long dead: its number need not be kept."""
        self.commits.forget_instance(shard, sender)
        if not any(sender in other.instances for other in self.shards.values()):
            self.ways.forget(sender)
