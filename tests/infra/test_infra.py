"""The parts start, answer, and come back with their data after a stop."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from infra.fixtures import Node
from infra.packages import MissingPartError, need
from infra.process import PartError, Process, free_port, wait_until
from infra.rabbitmq import answers


def test_a_missing_program_is_an_error_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(MissingPartError, match=r"apt-get install nosuchpackage.*VPIN_TEST_X"):
        need("nosuchprogram", "nosuchpackage", variable="VPIN_TEST_X")


def test_a_program_that_ends_early_is_reported_with_its_log(tmp_path: Path):
    process = Process("broken", ["sh", "-c", "echo no such device; exit 3"], tmp_path / "log")
    process.start()
    with pytest.raises(PartError, match=r"broken: ended with 3[\s\S]*no such device"):
        wait_until(lambda: False, 5, process.name, process)
    process.kill()


def test_children_die_with_a_parent_that_is_killed(tmp_path: Path):
    log = str(tmp_path / "log")
    script = f"""
import sys, time
sys.path.insert(0, "tests")
from pathlib import Path
from infra.process import Process
child = Process("child", ["sleep", "1000"], Path({log!r}))
child.start()
print(child.pid, flush=True)
time.sleep(60)
"""
    root = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=root) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    wait_until(lambda: not _runs(child), 5, "the child's end")


def _runs(pid: int) -> bool:
    """Alive, and no zombie that waits for whoever inherits it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.integration
def test_rabbitmq_answers_and_comes_back(rabbitmq_node: Node):
    port = int(rabbitmq_node.url.rstrip("/").rpartition(":")[2])
    assert answers(port)
    rabbitmq_node.kill()
    assert not answers(port)
    rabbitmq_node.start()
    assert answers(port)


@pytest.mark.integration
def test_postgres_keeps_what_it_has(postgres_node: Node):
    asyncio.run(_run(postgres_node.url, "CREATE TABLE kept (n int)"))
    postgres_node.stop()
    with pytest.raises(OSError):
        asyncio.run(_run(postgres_node.url, "SELECT 1"))
    postgres_node.start()
    asyncio.run(_run(postgres_node.url, "SELECT n FROM kept"))


@pytest.mark.integration
def test_shared_parts(rabbitmq_url: str, postgres_url: str, postgres_database: str):
    assert rabbitmq_url.startswith("amqp://")
    assert postgres_url != postgres_database
    asyncio.run(_run(postgres_url, "SELECT 1"))
    asyncio.run(_run(postgres_database, "SELECT 1"))


async def _run(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def test_free_ports_are_below_the_range_of_outgoing_connections():
    assert 15_000 <= free_port() < 32_768


def test_no_port_is_given_twice():
    assert len({free_port() for _ in range(300)}) == 300
