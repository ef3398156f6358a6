"""What the repositories need of a database, and of the store that they are parts of."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from vpin_store.history import Step
    from vpin_store.rows import Changes, Rollup, StreamKey
    from vpin_store.statements import Dialect

T = TypeVar("T")


class Watch(Protocol):
    """Awaits a call of the driver and keeps the store's `ready`."""

    async def __call__(self, call: Awaitable[T]) -> T: ...


class Driver(Protocol):
    """One database. Lists among the arguments are the parameters of ``Dialect.among``."""

    @property
    def dialect(self) -> Dialect: ...
    async def open(self) -> None: ...
    async def close(self) -> None: ...
    async def fetch(self, sql: str, *arguments: Any) -> list[Sequence[Any]]: ...
    async def fetch_together(self, queries: Sequence[str], *arguments: Any) -> list[list[Sequence[Any]]]:
        """Several queries with the same arguments on one snapshot."""
        ...

    async def fetch_numbers(self, sql: str, kinds: str, row: type[Any] | None, *numbers: int) -> list[Any]:
        """Rows of numbers, never NULL, as named tuples `row` or plain ones.

        `kinds`: a letter per column, i and q for integers of 4 and 8 bytes, d for doubles.
        """
        ...

    async def write(self, sql: str, *arguments: Any) -> list[Sequence[Any]]:
        """One statement, committed; what its RETURNING gave."""
        ...

    async def commit(self, changes: Changes) -> None: ...
    async def reserve_accounts(self, count: int) -> list[int]: ...
    def forget_streams(self) -> None:
        """What is remembered of streams may be out of date: another process may have deleted some."""
        ...

    async def add_rollups(self, step: Step, rows: Sequence[tuple[StreamKey, Rollup]]) -> None: ...
    async def roll_up(self, owner: bytes, shards: Sequence[int]) -> int: ...
    async def tidy_history(self, now: int, raw_days: int) -> None: ...
    async def trim_minutes(self, keep: int, after: int, count: int) -> int: ...
