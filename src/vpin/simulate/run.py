"""A run: accounts with boards and one app each, presses and reports once a second, network losses, the final account."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field

from vpin_protocol import AppDecoder, Command, Frame, app_frame, join

from vpin.bench.accounts import DASH, Account, make_accounts
from vpin.bench.client import BenchError, Link, Target, close
from vpin.bench.processes import Watch
from vpin.simulate.board import ANSWER, BUTTON, COUNTER, Board, Totals
from vpin.simulate.memory import Memory

BOARDS_EACH = 10
"""Boards of one account."""
STEP_SECONDS = 1.0
LOSS_SECONDS = 20.0
LOST_SHARE = 5
"""One board in so many loses its network each time."""
AWAY_SECONDS = (0.5, 5.0)
AT_A_TIME = 20
"""Log-ins under way at a time."""
WRITE_ID, FENCE_ID = 65_000, 65_001
SETTLE_SECONDS = 15.0
RETRIES = 20


@dataclass
class Outcome:
    """What came of a run."""

    boards: int = 0
    figures: dict[str, str] = field(default_factory=dict[str, str])
    faults: list[str] = field(default_factory=list[str])


class Home:
    """One account: its boards, and the app that presses their buttons and watches what they write."""

    def __init__(self, account: Account, boards: list[Board], totals: Totals) -> None:
        self.boards = {board.device: board for board in boards}
        self.presses_answered: list[float] = []
        self._link: Link = account.app
        self._link.others.clear()
        self._link.sink = self._on_data
        self._decoder = AppDecoder()
        self._totals = totals
        self._fence: asyncio.Future[None] | None = None
        self._pressed: dict[tuple[int, int], float] = {}

    def press(self) -> None:
        """A press on every button; the frames of one second leave together."""
        frames: list[bytes] = []
        for board in self.boards.values():
            number = board.presses.next()
            if board.online:
                self._pressed[board.device, number] = time.perf_counter()
            body = join(f"{DASH}-{board.device}", "vw", BUTTON, number)
            frames.append(app_frame(Command.HARDWARE, WRITE_ID, body))
        self._totals.frames_sent += len(frames)
        self._link.transport.write(b"".join(frames))

    async def fence(self) -> None:
        """Until a ping is answered: all presses so far are applied. BenchError when the app's connection is gone."""
        sent = {board.device: board.presses.sent for board in self.boards.values()}
        if self._link.lost:
            raise self._link.lost
        self._fence = asyncio.get_running_loop().create_future()
        self._link.transport.write(app_frame(Command.PING, FENCE_ID))
        try:
            await asyncio.wait_for(self._fence, SETTLE_SECONDS)
        except TimeoutError:
            raise BenchError(f"an app's ping was not answered within {SETTLE_SECONDS:.0f} s") from None
        for device, number in sent.items():
            self.boards[device].presses.fenced = number

    async def leave(self) -> None:
        await close([self._link])

    def _on_data(self, data: bytes) -> None:
        frames = self._decoder.feed(data)
        self._totals.frames_received += len(frames)
        for frame in frames:
            if frame.command == Command.HARDWARE:
                self._take(frame)
            elif frame.message_id == FENCE_ID and self._fence is not None and not self._fence.done():
                self._fence.set_result(None)

    def _take(self, frame: Frame) -> None:
        target, _, pin, value = frame.body.split(b"\0", 3)
        board = self.boards[int(target.partition(b"-")[2])]
        if int(pin) == COUNTER:
            board.readings.arrived(int(value))
            board.readings.fenced = max(board.readings.fenced, board.readings.seen)
        elif int(pin) == ANSWER and (at := self._pressed.pop((board.device, int(value)), None)) is not None:
            self.presses_answered.append(time.perf_counter() - at)


async def simulate(
    target: Target, boards: int, seconds: float, seed: int, losses: float = LOSS_SECONDS, watch: Watch | None = None
) -> Outcome:
    """Run `boards` boards for so long; every `losses` seconds a fifth of them loses its network (0: never).

    `watch`: the server's processes, whose memory has to stay what it is.
    """
    totals, dice = Totals(), random.Random(seed)  # noqa: S311  no secrets
    memory = Memory(watch or Watch({}))
    homes = await _move_in(target, boards, totals, dice)
    everyone = [board for home in homes for board in home.boards.values()]
    await _join_all(everyone)
    returns: set[asyncio.Task[None]] = set()
    began = asyncio.get_running_loop().time()
    step, next_loss = began, began + losses
    while (now := asyncio.get_running_loop().time()) < began + seconds:
        await _second(homes, everyone)
        memory.look(now - began)
        if losses and now >= next_loss:
            next_loss += losses
            for board in dice.sample(everyone, max(1, len(everyone) // LOST_SHARE)):
                board.lose_network()
                _come_back(returns, board, dice.uniform(*AWAY_SECONDS))
        for board in everyone:
            if not board.connected and not board.returning:
                _come_back(returns, board, dice.uniform(0.0, 1.0))
        step += STEP_SECONDS
        await asyncio.sleep(max(0.0, step - asyncio.get_running_loop().time()))
    await asyncio.gather(*returns)
    await _join_all([board for board in everyone if not board.online])
    await _settle(homes, everyone)
    outcome = _account(homes, everyone, totals, asyncio.get_running_loop().time() - began)
    outcome.figures |= memory.figures()
    outcome.faults += memory.faults()
    for board in everyone:
        board.leave()
    await asyncio.gather(*(home.leave() for home in homes))
    return outcome


async def _move_in(target: Target, boards: int, totals: Totals, dice: random.Random) -> list[Home]:
    full, rest = divmod(boards, BOARDS_EACH)
    accounts = await make_accounts(target, full, BOARDS_EACH) if full else []
    accounts += await make_accounts(target, 1, rest) if rest else []
    return [
        Home(
            account,
            [
                Board(target.hardware, token, device, totals, random.Random(dice.random()))  # noqa: S311
                for token, device in zip(account.tokens, account.devices, strict=True)
            ],
            totals,
        )
        for account in accounts
    ]


async def _second(homes: list[Home], everyone: list[Board]) -> None:
    now = time.time_ns() // 1_000_000
    for board in everyone:
        board.report(now)
        board.keep_alive()
    for home in homes:
        home.press()
    await asyncio.gather(*(home.fence() for home in homes))


def _come_back(returns: set[asyncio.Task[None]], board: Board, after: float) -> None:
    async def later() -> None:
        await asyncio.sleep(after)
        await _join(board)
        board.returning = False

    board.returning = True
    task = asyncio.create_task(later())
    returns.add(task)
    task.add_done_callback(returns.discard)


async def _join(board: Board) -> None:
    """Connect, again and again for a while, as firmware does. BenchError when it does not come about."""
    for _ in range(RETRIES):
        try:
            return await board.connect()
        except (OSError, TimeoutError):
            board.give_up()
            await asyncio.sleep(0.5)
    raise BenchError("a board can't log in")


async def _join_all(boards: list[Board]) -> None:
    gate = asyncio.Semaphore(AT_A_TIME)

    async def one(board: Board) -> None:
        async with gate:
            await _join(board)

    await asyncio.gather(*(one(board) for board in boards))


async def _settle(homes: list[Home], everyone: list[Board]) -> None:
    """Everything that is on its way has come: fences of apps, then of boards, then of apps."""
    await asyncio.gather(*(home.fence() for home in homes))
    await asyncio.gather(*(board.fence() for board in everyone))
    await asyncio.gather(*(home.fence() for home in homes))
    for board in everyone:
        board.readings.end()
        board.presses.end()
    await asyncio.gather(*(board.check() for board in everyone))


def _account(homes: list[Home], everyone: list[Board], totals: Totals, seconds: float) -> Outcome:
    streams = [stream for board in everyone for stream in (board.readings, board.presses)]
    lost, reordered = sum(s.lost for s in streams), sum(s.reordered for s in streams)
    waits = sorted(wait for home in homes for wait in home.presses_answered)
    outcome = Outcome(len(everyone))
    outcome.figures = {
        "seconds": f"{seconds:.0f}",
        "frames sent": f"{totals.frames_sent:,}",
        "frames received": f"{totals.frames_received:,}",
        "numbers sent": f"{sum(s.sent for s in streams):,}",
        "numbers received": f"{sum(s.received for s in streams):,}",
        "lost": str(lost),
        "reordered": str(reordered),
        "swallowed by lost networks": str(sum(s.swallowed for s in streams)),
        "networks lost": str(totals.losses),
        "log-ins": str(totals.logins),
        "hung up by the server": str(totals.hung_up),
        "syncs": str(totals.syncs),
        "syncs with a wrong value": str(len(totals.stale_syncs)),
    }
    if waits:
        at = [waits[int(share * (len(waits) - 1))] * 1000 for share in (0.5, 0.99)]
        outcome.figures["press to answer"] = f"p50 {at[0]:.1f} ms, p99 {at[1]:.1f} ms"
    outcome.faults = [f"{lost} numbers lost"] * bool(lost) + [f"{reordered} numbers out of order"] * bool(reordered)
    outcome.faults += totals.stale_syncs[:20]
    return outcome
