"""What the hot calls cost, with bounds some five times above what was measured (2 cores, 2026)."""

from __future__ import annotations

import time

import pytest
from vpin_store import Store
from vpin_store.rows import Changes, ValueRow

from .samples import account, dashboard, device, token, value, widget

pytestmark = pytest.mark.anyio

ROWS = 10_000
ACCOUNTS = range(1, 101)


def values_written(text: bytes) -> list[ValueRow]:
    return [value(1 + n // 100, 1, 0, n % 100, text) for n in range(ROWS)]


async def test_processor_time_of_a_value(store: Store) -> None:
    """Of this process: 2 µs on PostgreSQL, 4 µs on SQLite, whose work is done in this process."""
    for text in (b"1", b"2"):  # inserts, then updates
        rows = values_written(text)
        started = time.process_time()
        await store.commit(Changes(values=rows))
        assert (time.process_time() - started) / ROWS < 25e-6


async def test_processor_time_of_loading_accounts_and_tokens(store: Store) -> None:
    await store.commit(
        Changes(
            accounts=[account(n, f"{n}@example.com") for n in ACCOUNTS],
            dashboards=[dashboard(n, 1) for n in ACCOUNTS],
            widgets=[widget(n, 1, key) for n in ACCOUNTS for key in range(10)],
            devices=[device(n, 1, number) for n in ACCOUNTS for number in range(5)],
            tokens=[token(f"{n:032d}", n) for n in ACCOUNTS],
        )
    )
    started = time.process_time()
    assert len(await store.load_accounts(list(ACCOUNTS))) == len(ACCOUNTS)
    assert time.process_time() - started < 0.1
    started = time.process_time()
    assert len(await store.tokens.find([f"{n:032d}" for n in ACCOUNTS])) == len(ACCOUNTS)
    assert time.process_time() - started < 0.025
