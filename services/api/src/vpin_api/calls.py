"""What the routes under a device's token share: the device of a token, the question to its owner, the body of a request."""

from __future__ import annotations

import asyncio

from vpin_messages.requests import PinReply, PinRequest
from vpin_store.rows import TokenRow

from vpin_api import parsing
from vpin_api.answers import BUSY, INVALID_TOKEN, TOO_LARGE, TOO_SLOW, Header, Receive, Scope
from vpin_api.exchange import exchange_of
from vpin_api.owner import Owners
from vpin_api.rates import Rates
from vpin_api.tokens import Tokens

BODY_SECONDS = 60.0  # for a body to arrive
BODIES_LIMIT = 64 * 1024 * 1024  # bytes of bodies that are held at a time


class Calls:
    """Over the owners of the devices' accounts."""

    def __init__(self, tokens: Tokens, owners: Owners, rates: Rates | None = None) -> None:
        self.tokens = tokens
        self.rates = rates or Rates()
        self._owners = owners
        self._held = 0  # bytes of bodies that are being read or asked about

    async def device(self, raw_token: bytes) -> TokenRow | None:
        """The device's row; None for a token that no device has. Raises StoreUnavailable."""
        token = parsing.parse_token(raw_token)
        return None if token is None else await self.tokens.device(token)

    async def ask(self, row: TokenRow, request: PinRequest) -> PinReply:
        """The owner's answer, BUSY when there is none."""
        reply = await self._owners.ask(row, request)
        if reply == INVALID_TOKEN:
            self.tokens.forget(row.token)
        return reply

    async def read(
        self, scope: Scope, receive: Receive, body: bytearray, limit: int = parsing.BODY_LIMIT
    ) -> PinReply | None:
        """Fill `body`; a reply when it is refused. What follows of a refused body the HTTP layer throws away.

        :meth:`release` the body when it is done with, refused or not.
        """
        exchange = exchange_of(scope)
        if exchange is not None and (whole := exchange.whole_body()) is not None:
            body += whole
            self._held += len(whole)
            return TOO_LARGE if len(whole) > limit else BUSY if self._held > BODIES_LIMIT else None
        declared = header(scope, b"content-length")
        if declared.isdigit() and int(declared) > limit:
            return TOO_LARGE
        try:
            async with asyncio.timeout(BODY_SECONDS):
                while True:
                    message = await receive()
                    chunk = message.get("body", b"")
                    body += chunk
                    self._held += len(chunk)
                    if len(body) > limit:
                        return TOO_LARGE
                    if self._held > BODIES_LIMIT:
                        return BUSY
                    if not message.get("more_body", False):
                        return None
        except TimeoutError:
            return TOO_SLOW

    def release(self, body: bytearray) -> None:
        self._held -= len(body)


def header(scope: Scope, name: bytes) -> bytes:
    """The first header of that name (lower case); empty when there is none."""
    headers: list[Header] = scope["headers"]
    for given, value in headers:
        if given == name:
            return value
    return b""
