"""First answers to requests with an idempotency key, kept for those that come again."""

from __future__ import annotations

from vpin_store.driver import Driver, Watch
from vpin_store.rows import AnswerRow
from vpin_store.schema import ANSWER, escape
from vpin_store.statements import on_conflict, select


class Answers:
    """By account and key. Times are in ms."""

    def __init__(self, driver: Driver, watch: Watch) -> None:
        self._driver = driver
        self._watch = watch

    async def find(self, account_id: int, key: str, now: int) -> AnswerRow | None:
        """The answer, unless it is out of date at `now`."""
        sql = select(self._driver.dialect, ANSWER, "WHERE account_id = $1 AND key = $2 AND expires_at > $3")
        found = ANSWER.loaded(await self._watch(self._driver.fetch(sql, account_id, escape(key), now)))
        return found[0] if found else None

    async def keep(self, answer: AnswerRow, now: int) -> None:
        """Remember an answer, in place of one of the same key; forget all that are out of date at `now`."""
        await self._watch(self._driver.write("DELETE FROM answer WHERE expires_at <= $1", now))
        (values,) = ANSWER.stored([answer])
        columns = ", ".join(column.name for column in ANSWER.columns)
        sql = f"INSERT INTO answer ({columns}) VALUES ($1, $2, $3, $4, $5, $6) {on_conflict(ANSWER)}"  # noqa: S608
        await self._watch(self._driver.write(sql, *values))
