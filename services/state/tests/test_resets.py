"""A forgotten password, from the message before the log-in to the mail and back (spec 02, 3.5); the welcome mail."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from state_shell import SHARDS, Gateway, World
from vpin_bus import Consumer, Delivery
from vpin_messages import jobs, slab
from vpin_messages.jobs import LAST_ATTEMPT, Job
from vpin_messages.queues import NOTIFY, shard_queue
from vpin_messages.slab import Side, Up, up_entry
from vpin_protocol import Command, app_frame, app_response
from vpin_state.entry import Entry
from vpin_state.settings import EntrySettings
from vpin_store import StoreUnavailable

pytestmark = pytest.mark.anyio

APP, FORGETFUL = 1, 2
OK, ILLEGAL, NOT_ALLOWED, NOT_AUTHENTICATED, SERVER_ERROR = 200, 2, 6, 5, 19
EMAIL = "a@example.com"


class Post:
    """Takes notification jobs; `refuses` tells their outcome."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.jobs: list[Job] = []
        self.refuses = False
        self.news = asyncio.Event()
        self.sender = slab.new_sender()
        self.consumer: Consumer | None = None

    async def start(self) -> None:
        bus = self.world.bus
        self.up = [bus.outlet(shard_queue(i), lambda n: slab.head(self.sender, n)) for i in range(SHARDS)]
        self.consumer = await bus.consume(NOTIFY, self.take)

    async def came(self, count: int) -> None:
        """Return when so many jobs have come."""
        async with asyncio.timeout(5):
            while len(self.jobs) < count:
                self.news.clear()
                await self.news.wait()

    def take(self, delivery: Delivery) -> None:
        assert self.consumer is not None
        self.consumer.ack(delivery.tag)
        job = jobs.decode(delivery.body)
        self.jobs.append(job)
        self.news.set()
        if job.answer is not None:
            answer = job.answer
            status = answer.failed if self.refuses else answer.ok
            payload = answer.gateway + status.to_bytes(2, "big") + answer.message_id.to_bytes(2, "big")
            self.up[answer.shard].add(up_entry(Up.RESULT, answer.session, payload))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    await world.start()
    yield world
    await world.stop()


@pytest.fixture
async def post(world: World) -> Post:
    post = Post(world)
    await post.start()
    return post


@pytest.fixture
async def gateway(world: World) -> Gateway:
    """One account is registered."""
    gateway = await world.gateway()
    assert (await gateway.ask(APP, Side.APP, Command.REGISTER, EMAIL, "old", "Blynk")).registered
    return gateway


async def status(gateway: Gateway, *fields: str, session: int = FORGETFUL) -> int:
    answer = await gateway.ask(session, Side.APP, Command.RESET_PASSWORD, *fields)
    assert not answer.close
    assert answer.frames[:3] == app_response(1, 0)[:3]
    return int.from_bytes(answer.frames[3:], "big")


def token_in(job: Job) -> str:
    found = re.search(r"restore\?token=([\w-]{32})&email=", job.text)
    assert found
    return found[1]


async def log_in(gateway: Gateway, password: str) -> int:
    answer = await gateway.ask(9, Side.APP, Command.LOGIN, EMAIL, password)
    return OK if answer.grant else int.from_bytes(answer.frames[3:], "big")


async def test_a_password_is_reset_with_the_mailed_token(gateway: Gateway, post: Post) -> None:
    assert await status(gateway, "start", " A@Example.com ", "Blynk") == OK
    (mail,) = post.jobs
    assert (mail.to, mail.subject) == ([EMAIL], "Password restoration for your vpin account.")
    assert mail.attempt == LAST_ATTEMPT
    token = token_in(mail)
    assert token in mail.html
    assert [(a.name, a.content_type, a.data[:2]) for a in mail.attachments] == [
        ("resetPassQr.jpg", "image/jpeg", b"\xff\xd8")
    ]
    assert await status(gateway, "start", EMAIL, "Blynk") == NOT_ALLOWED
    assert await status(gateway, "verify", token) == OK
    assert await log_in(gateway, "old") == OK
    assert await status(gateway, "reset", token, "new") == OK
    assert await status(gateway, "verify", token) == NOT_ALLOWED
    assert await status(gateway, "reset", token, "newer") == NOT_ALLOWED
    assert await log_in(gateway, "old") == NOT_AUTHENTICATED
    assert await log_in(gateway, "new") == OK
    assert [job.subject for job in post.jobs] == [mail.subject, "Your new password on vpin"]
    assert token not in post.jobs[1].text + post.jobs[1].html
    assert await status(gateway, "start", EMAIL, "Blynk") == OK


async def test_after_a_mail_that_failed_it_can_be_started_again(gateway: Gateway, post: Post) -> None:
    post.refuses = True
    assert await status(gateway, "start", EMAIL, "Blynk") == SERVER_ERROR
    post.refuses = False
    assert await status(gateway, "verify", token_in(post.jobs[0])) == NOT_ALLOWED
    assert await status(gateway, "start", EMAIL, "Blynk") == OK
    assert await status(gateway, "verify", token_in(post.jobs[1])) == OK


async def test_a_token_survives_the_process(world: World, gateway: Gateway, post: Post) -> None:
    assert await status(gateway, "start", EMAIL, "Blynk") == OK
    await world.kill_state()
    await world.start_state()
    assert await status(gateway, "start", EMAIL, "Blynk") == NOT_ALLOWED
    assert await status(gateway, "verify", token_in(post.jobs[0])) == OK


async def test_the_mail_of_a_token_that_was_kept_goes_out_after_a_crash(world: World, gateway: Gateway) -> None:
    """Token and mail are of one commit: nobody waits 45 minutes for a mail that never comes."""
    committed = asyncio.Event()
    world.owner.publisher.publish_jobs = lambda rows: (
        committed.set() if rows else None
    )  # killed between commit and publish
    waiting = asyncio.create_task(status(gateway, "start", EMAIL, "Blynk"))
    await asyncio.wait_for(committed.wait(), 5)
    waiting.cancel()
    await world.kill_state()
    post = Post(world)
    await post.start()
    await world.start_state()
    gateway.beat()
    await post.came(1)
    assert await status(gateway, "verify", token_in(post.jobs[0])) == OK


async def test_an_expired_token_is_worth_nothing_and_hinders_nobody(
    world: World, gateway: Gateway, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vpin_state.handlers.passwords.RESET_MS", -1)
    assert await status(gateway, "start", EMAIL, "Blynk") == OK
    token = token_in(post.jobs[0])
    assert await status(gateway, "verify", token) == NOT_ALLOWED
    assert await status(gateway, "reset", token, "new") == NOT_ALLOWED
    assert await status(gateway, "start", EMAIL, "Blynk") == OK


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ((), ILLEGAL),
        (("start",), ILLEGAL),
        (("start", EMAIL), ILLEGAL),
        (("start", EMAIL, "OtherApp"), ILLEGAL),
        (("start", "nobody", "Blynk"), ILLEGAL),
        (("start", "nobody@example.com", "Blynk"), ILLEGAL),
        (("start", EMAIL, ""), ILLEGAL),
        (("start", "", "Blynk"), ILLEGAL),
        (("verify",), ILLEGAL),
        (("verify", ""), ILLEGAL),
        (("verify", "x" * 32), NOT_ALLOWED),
        (("reset", "x" * 32), ILLEGAL),
        (("reset", "x" * 32, ""), ILLEGAL),
        (("reset",), ILLEGAL),
        (("reset", "x" * 32, "hash"), NOT_ALLOWED),
        (("anything", "else"), ILLEGAL),
        (("START", EMAIL, "Blynk"), ILLEGAL),
    ],
)
async def test_bad_requests(gateway: Gateway, post: Post, fields: tuple[str, ...], expected: int) -> None:
    assert await status(gateway, *fields) == expected
    assert post.jobs == []


async def test_of_two_who_use_a_token_at_once_one_sets_the_password(gateway: Gateway, post: Post) -> None:
    assert await status(gateway, "start", EMAIL, "Blynk") == OK
    token = token_in(post.jobs[0])
    passwords = [f"new {n}" for n in range(4)]
    answers = await asyncio.gather(
        *(status(gateway, "reset", token, password, session=20 + n) for n, password in enumerate(passwords))
    )
    assert sorted(answers) == [NOT_ALLOWED, NOT_ALLOWED, NOT_ALLOWED, OK]
    for password, answer in zip(passwords, answers, strict=True):
        assert await log_in(gateway, password) == (OK if answer == OK else NOT_AUTHENTICATED)
    assert len(post.jobs) == 2


async def test_a_log_in_that_was_verified_with_the_old_password_comes_too_late(gateway: Gateway, post: Post) -> None:
    """Verified before the change, opened behind it: only who comes with the new one gets in."""
    late = await gateway.ask(9, Side.APP, Command.LOGIN, EMAIL, "old")
    assert late.grant is not None
    await gateway.log_in(7, Side.APP, Command.LOGIN, EMAIL, "old")
    assert await status(gateway, "start", EMAIL, "Blynk") == OK
    assert await status(gateway, "reset", token_in(post.jobs[0]), "new") == OK
    gateway.grants[9] = (late.grant, Side.APP)
    gateway.send(9, b"", kind=Up.OPEN)
    await gateway.wait(lambda: 9 in gateway.closed)
    assert gateway.responses(9) == [(1, NOT_AUTHENTICATED)]
    await gateway.log_in(10, Side.APP, Command.LOGIN, EMAIL, "new")
    assert gateway.responses(10) == [(1, OK)]
    gateway.send(7, app_frame(Command.PING, 3))
    await gateway.wait(lambda: (3, OK) in gateway.responses(7))  # who was in stays in
    assert 7 not in gateway.closed


async def test_where_the_database_is_away_the_password_is_not_set_and_that_is_said(
    world: World, gateway: Gateway, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(account_id: int, password_hash: str) -> bool:
        raise StoreUnavailable

    assert await status(gateway, "start", EMAIL, "Blynk") == OK
    with monkeypatch.context() as patch:
        patch.setattr(world.store, "set_password", away)
        assert await status(gateway, "reset", token_in(post.jobs[0]), "new") == SERVER_ERROR
    await gateway.log_in(7, Side.APP, Command.LOGIN, EMAIL, "old")
    assert gateway.responses(7) == [(1, OK)]
    assert await status(gateway, "start", EMAIL, "Blynk") == OK
    assert [job.subject for job in post.jobs] == [post.jobs[0].subject] * 2


async def test_through_a_websocket_there_is_none(gateway: Gateway) -> None:
    for command in (Command.RESET_PASSWORD, Command.SHARE_LOGIN):
        assert (await gateway.ask(5, Side.WEB, command, "verify", "x" * 32)).close


async def test_a_new_user_is_welcomed_where_mail_can_be_sent(world: World, gateway: Gateway, post: Post) -> None:
    await world.entry.stop()
    world.entry = Entry(world.bus, world.store, world.owner, EntrySettings("host", 1000, 100_000, sends_mail=True))
    await world.entry.start()
    await gateway.ask(7, Side.APP, Command.REGISTER, "new@example.com", "hash", "Blynk")
    await gateway.ask(8, Side.APP, Command.REGISTER, "new@example.com", "hash", "OtherApp")
    await post.came(1)
    (mail,) = post.jobs
    assert (mail.to, mail.subject) == (["new@example.com"], "Get started with vpin")
    assert "Welcome to vpin" in mail.html
    assert mail.text == ""  # HTML alone (spec 05, 1.1.7)
