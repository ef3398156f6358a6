"""Tokens in the store: what lets boards, guests and sessions in, and whatever else is found by a secret name.

A commit stores those of an account that its owner has (`Changes.tokens`); here are the others, and the look-up.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence

from vpin_store.driver import Driver, Watch
from vpin_store.rows import TokenRow
from vpin_store.schema import TOKEN, escape
from vpin_store.statements import among, insert_new, select


class Tokens:
    """By token; each is there once, whatever its kind."""

    def __init__(self, driver: Driver, watch: Watch) -> None:
        self._driver = driver
        self._watch = watch
        self._find = select(driver.dialect, TOKEN, f"WHERE {among(driver.dialect, TOKEN, 'token')}")
        self._of = select(driver.dialect, TOKEN, "WHERE account_id = $1 AND kind = $2 ORDER BY token")
        self._claim = insert_new(driver.dialect, TOKEN)

    async def find(self, tokens: Sequence[str]) -> dict[str, TokenRow]:
        """Those that exist, expired ones too, by token; one query."""
        found = await self._watch(self._driver.fetch(self._find, list(map(escape, tokens))))
        return {row.token: row for row in TOKEN.loaded(found)}

    async def of(self, account_id: int, kind: str) -> list[TokenRow]:
        """An account's tokens of a kind; account 0: nobody's."""
        found = await self._watch(self._driver.fetch(self._of, account_id, kind))
        return TOKEN.loaded(found)

    async def claim(self, row: TokenRow) -> TokenRow:
        """Store the row unless there is one of that token; the one that is there now."""
        (values,) = TOKEN.stored([row])
        await self._watch(self._driver.write(self._claim, *values))
        return (await self.find([row.token]))[row.token]

    async def key(self, name: str) -> bytes:
        """A secret of this installation by its name, made when it is first asked for: 32 bytes."""
        body = json.dumps(secrets.token_hex(32)).encode()
        row = TokenRow(f"key/{name}", "key", 0, 0, 0, 0, body)  # a client's token has no slash
        return bytes.fromhex(json.loads((await self.claim(row)).body))

    async def prolong(self, token: str, expires_at: int) -> None:
        """It is out of date later than before; one that was deleted meanwhile stays so."""
        sql = "UPDATE token SET expires_at = $2 WHERE token = $1 AND expires_at < $2"
        await self._watch(self._driver.write(sql, escape(token), expires_at))

    async def count(self, kind: str, device: tuple[int, int, int], expires_after: int) -> int:
        """Tokens of a kind that a device (account, dashboard, device) has, by the time until which they are good."""
        sql = (
            "SELECT count(*) FROM token"
            " WHERE kind = $1 AND account_id = $2 AND dash_id = $3 AND device_id = $4 AND expires_at > $5"
        )
        found = await self._watch(self._driver.fetch(sql, kind, *device, expires_after))
        return found[0][0]

    async def forget(self, now: int) -> None:
        """Delete tokens of every kind, of all accounts, that are out of date at `now` (ms)."""
        sql = "DELETE FROM token WHERE expires_at > 0 AND expires_at <= $1"
        await self._watch(self._driver.write(sql, now))

    async def delete(self, account_id: int, kind: str, *, keep: str = "", expired_at: int = 0) -> None:
        """Tokens of a kind but the one to keep; with `expired_at` (ms) only those that are out of date then."""
        sql = (
            "DELETE FROM token WHERE account_id = $1 AND kind = $2 AND token <> $3"
            " AND (CAST($4 AS bigint) = 0 OR expires_at < $4)"  # by the 0 alone PostgreSQL would take $4 for an integer
        )
        await self._watch(self._driver.write(sql, account_id, kind, keep, expired_at))
