"""What vpin remembers of an import: one row among the tokens for each account that was taken over.

It goes with the account. Nobody comes in with it: it is of a kind of its own, which nothing else asks for.
"""

from __future__ import annotations

from typing import Self

import msgspec
from vpin_store.rows import TokenRow

KIND = "import"


class Mark(msgspec.Struct):
    """What is kept of an import beside the account."""

    digest: str
    at: int  # ms
    pending: list[str] = []  # "password", "history": not stored yet

    @staticmethod
    def token(account_id: int) -> str:
        return f"{KIND} {account_id}"

    def row(self, account_id: int) -> TokenRow:
        return TokenRow(self.token(account_id), KIND, account_id, 0, 0, 0, msgspec.json.encode(self))

    @classmethod
    def of(cls, row: TokenRow | None) -> Self | None:
        return None if row is None else msgspec.json.decode(row.body, type=cls)
