"""The management API of one account (spec 08)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

import httpx
import msgspec

from vpin_client._async.connection import AsyncConnected, AsyncConnection
from vpin_client._async.devices import AsyncDevices, AsyncEvents, AsyncHistory, AsyncValues
from vpin_client._async.stream import watch
from vpin_client._async.templates import AsyncTemplates
from vpin_client.models import Health, NewUser, Session, StreamEvent, User
from vpin_client.retries import Repeat

ROOT = "/api/v1"


class AsyncClient(AsyncConnected):
    """An account on a vpin server.

    `url` is the server's, such as ``http://localhost:8080``. `token` is that of a session; without one :meth:`log_in` or
    :meth:`register` first. Reads, deletions and what is made (by an idempotency key) are sent again, `retries` times at
    most, when the connection is lost; what writes values only when the server has not seen it. `http`: your own httpx
    client, for proxies or certificates.

    >>> async with AsyncClient(URL) as client:
    ...     account = await client.register("anna@example.com", "correct horse")
    ...     session = await client.log_in("anna@example.com", "correct horse")
    ...     (await client.me()).email
    'anna@example.com'
    """

    def __init__(
        self,
        url: str,
        *,
        token: str = "",
        timeout: float = 10,
        retries: int = 2,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self._connection = AsyncConnection(url.rstrip("/") + ROOT, timeout=timeout, retries=retries, http=http)
        self.token = token
        self.templates = AsyncTemplates(self._connection)
        self.devices = AsyncDevices(self._connection)
        self.values = AsyncValues(self._connection)
        self.history = AsyncHistory(self._connection)
        self.events = AsyncEvents(self._connection)

    @property
    def token(self) -> str:
        """Of the session; keep it to go on later without a password. Empty: there is none."""
        return self._connection.headers.get("authorization", "").removeprefix("Bearer ")

    @token.setter
    def token(self, token: str) -> None:
        self._connection.headers.pop("authorization", None)
        if token:
            self._connection.headers["authorization"] = f"Bearer {token}"

    async def health(self) -> Health:
        """Raises :class:`BusyError` while the server is not ready."""
        return await self._connection.get("/health", Health)

    async def register(self, email: str, password: str) -> NewUser:
        """Make an account. :class:`ConflictError`: the address has one already."""
        return await self._connection.create("/users", NewUser, {"email": email, "password": password})

    async def log_in(self, email: str, password: str) -> Session:
        """Begin a session, which all later requests use. :class:`UnauthorizedError`: e-mail or password is wrong."""
        body = {"email": email, "password": password}
        session = await self._connection.call("POST", "/sessions", Session, body, repeat=Repeat.UNDONE)
        self.token = session.token
        return session

    async def log_out(self) -> None:
        """End the session."""
        await self._connection.ask("DELETE", "/sessions/current", repeat=Repeat.UNDONE)
        self.token = ""

    async def me(self) -> User:
        """Whose session it is."""
        return await self._connection.get("/me", User)

    async def update_me(
        self, *, name: str | msgspec.UnsetType = msgspec.UNSET, tz: str | msgspec.UnsetType = msgspec.UNSET
    ) -> User:
        """Change the name or the time zone (IANA)."""
        changes = {key: value for key, value in (("name", name), ("tz", tz)) if value is not msgspec.UNSET}
        return await self._connection.call("PATCH", "/me", User, changes, repeat=Repeat.UNDONE)

    async def change_password(self, current: str, new: str) -> None:
        """All other sessions of the account end, those of apps too."""
        body = msgspec.json.encode({"current": current, "new": new})
        await self._connection.ask("PUT", "/me/password", content=body, repeat=Repeat.UNDONE)

    def stream(self, devices: Iterable[int] = (), *, last_event_id: str = "") -> AsyncIterator[StreamEvent]:
        """What happens on the devices (none named: all of the account), as it happens, without end.

        A lost connection is made again behind the last event; events that are lost for good are a :class:`Reset`. The
        first event is :class:`Hello`. To show values without a gap: wait for it, read the values, and then take
        each :class:`ValueChanged` whose `seq` is above the one that you have for the pin.

        >>> async for event in client.stream():
        ...     if isinstance(event, Hello):
        ...         await client.values.set(device.id, "V1", 42)
        ...     if isinstance(event, ValueChanged):
        ...         print(event.pin, event.value, event.source)
        ...         break
        V1 42 http
        """
        return watch(self._connection, list(devices), last_event_id)
