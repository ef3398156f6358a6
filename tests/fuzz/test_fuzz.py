"""The short form of `make fuzz`, and hypothesis looking for the smallest message that a server can't take."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from infra.vpin import EmbeddedRun, clean_environment
from vpin_protocol import COMMANDS, Command, HardwareDecoder, hardware_frame

from fuzz.__main__ import fuzz
from fuzz.attack import prepare, unexpected
from fuzz.generate import NUMBERS, WORDS, Generator
from vpin.bench.client import Target

EXAMPLES = 150
COUNT = 30_000
LOG_INS = (Command.RESPONSE, Command.LOGIN, Command.HARDWARE_LOGIN)

fields = st.one_of(
    st.sampled_from(WORDS), st.sampled_from(NUMBERS), st.binary(max_size=20), st.text(max_size=10).map(str.encode)
)
bodies = st.lists(fields, max_size=6).map(b"\0".join)
commands = st.one_of(st.sampled_from(Command), st.integers(1, COMMANDS - 1)).filter(lambda c: c not in LOG_INS)
frames = st.lists(st.tuples(commands, st.integers(0, 65_535), bodies), min_size=1, max_size=8)


def test_the_same_seed_gives_the_same_frames() -> None:
    first, second = Generator(7), Generator(7)
    assert [first.frame() for _ in range(500)] == [second.frame() for _ in range(500)]
    assert first.garbage(50) == second.garbage(50)


async def make_token(target: Target) -> str:
    scene = await prepare(target)
    await scene.leave()
    return scene.account.tokens[0]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRun]:
    server = EmbeddedRun(tmp_path_factory.mktemp("fuzz"), clean_environment(VPIN_MESSAGE_QUOTA="0"))
    server.start()
    yield server
    server.stop()


@pytest.mark.integration
def test_hostile_boards_do_no_harm(server: EmbeddedRun) -> None:
    assert asyncio.run(fuzz(server, COUNT, 1)) == []


@pytest.mark.integration
def test_whatever_frames_a_board_sends_the_next_ping_is_answered(server: EmbeddedRun) -> None:
    host, _, port = server.http.rpartition(":")
    tls_host, _, tls_port = server.tls.rpartition(":")
    target = Target((host, int(port)), (tls_host, int(tls_port)), (host, int(port)))
    token = asyncio.run(make_token(target))

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
    @given(frames)
    def answers(sent: list[tuple[int, int, bytes]]) -> None:
        decoder = HardwareDecoder()
        with socket.create_connection((host, int(port)), timeout=10) as board:
            stream = [hardware_frame(Command.HARDWARE_LOGIN, 1, token.encode())]
            stream += [hardware_frame(command, message_id, body) for command, message_id, body in sent]
            board.sendall(b"".join([*stream, hardware_frame(Command.PING, 4711)]))
            while True:
                data = board.recv(65_536)
                assert data, "the connection was closed"
                if any(f.command == 0 and f.message_id == 4711 and f.status == 200 for f in decoder.feed(data)):
                    return

    answers()
    assert unexpected(Path(server.process.log)) == []
