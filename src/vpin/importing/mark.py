"""What vpin remembers of an import: two rows among the tokens for each account that was taken over.

One goes with the account and tells a later run what it has to do. The other stays when the account is deleted in vpin, so that
a later run does not bring it back; it names nobody. Nobody comes in with them: they are of a kind of their own.
"""

from __future__ import annotations

import hashlib
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


def trace(email: str, app_name: str) -> TokenRow:
    """What stays of an account that was taken over once."""
    digest = hashlib.sha256(f"{email}\0{app_name}".encode(errors="surrogatepass")).hexdigest()
    return TokenRow(f"{KIND}/{digest}", KIND, 0, 0, 0, 0, b"")
