"""The management API of one account (spec 08)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import httpx
import msgspec

from vpin_client._sync.connection import Connected, Connection
from vpin_client._sync.devices import Devices, Events, History, Values
from vpin_client._sync.stream import watch
from vpin_client._sync.templates import Templates
from vpin_client.models import Health, NewUser, Session, StreamEvent, User
from vpin_client.retries import Repeat

ROOT = "/api/v1"


class Client(Connected):
    """An account on a vpin server.

    `url` is the server's, such as ``http://localhost:8080``. `token` is that of a session; without one :meth:`log_in` or
    :meth:`register` first. Reads, deletions and what is made (by an idempotency key) are sent again, `retries` times at
    most, when the connection is lost; what writes values only when the server has not seen it. `http`: your own httpx
    client, for proxies or certificates.

    >>> with Client(URL) as client:
    ...     account = client.register("anna@example.com", "correct horse")
    ...     session = client.log_in("anna@example.com", "correct horse")
    ...     client.me().email
    'anna@example.com'
    """

    def __init__(
        self,
        url: str,
        *,
        token: str = "",
        timeout: float = 10,
        retries: int = 2,
        http: httpx.Client | None = None,
    ) -> None:
        self._connection = Connection(url.rstrip("/") + ROOT, timeout=timeout, retries=retries, http=http)
        self.token = token
        self.templates = Templates(self._connection)
        self.devices = Devices(self._connection)
        self.values = Values(self._connection)
        self.history = History(self._connection)
        self.events = Events(self._connection)

    @property
    def token(self) -> str:
        """Of the session; keep it to go on later without a password. Empty: there is none."""
        return self._connection.headers.get("authorization", "").removeprefix("Bearer ")

    @token.setter
    def token(self, token: str) -> None:
        self._connection.headers.pop("authorization", None)
        if token:
            self._connection.headers["authorization"] = f"Bearer {token}"

    def health(self) -> Health:
        """Raises :class:`BusyError` while the server is not ready."""
        return self._connection.get("/health", Health)

    def register(self, email: str, password: str) -> NewUser:
        """Make an account. :class:`ConflictError`: the address has one already."""
        return self._connection.create("/users", NewUser, {"email": email, "password": password})

    def log_in(self, email: str, password: str) -> Session:
        """Begin a session, which all later requests use. :class:`UnauthorizedError`: e-mail or password is wrong."""
        body = {"email": email, "password": password}
        session = self._connection.call("POST", "/sessions", Session, body, repeat=Repeat.UNDONE)
        self.token = session.token
        return session

    def log_out(self) -> None:
        """End the session."""
        self._connection.ask("DELETE", "/sessions/current", repeat=Repeat.UNDONE)
        self.token = ""

    def me(self) -> User:
        """Whose session it is."""
        return self._connection.get("/me", User)

    def update_me(
        self, *, name: str | msgspec.UnsetType = msgspec.UNSET, tz: str | msgspec.UnsetType = msgspec.UNSET
    ) -> User:
        """Change the name or the time zone (IANA)."""
        changes = {key: value for key, value in (("name", name), ("tz", tz)) if value is not msgspec.UNSET}
        return self._connection.call("PATCH", "/me", User, changes, repeat=Repeat.UNDONE)

    def change_password(self, current: str, new: str) -> None:
        """All other sessions of the account end, those of apps too."""
        body = msgspec.json.encode({"current": current, "new": new})
        self._connection.ask("PUT", "/me/password", content=body, repeat=Repeat.UNDONE)

    def stream(self, devices: Iterable[int] = (), *, last_event_id: str = "") -> Iterator[StreamEvent]:
        """What happens on the devices (none named: all of the account), as it happens, without end.

        A lost connection is made again behind the last event; events that are lost for good are a :class:`Reset`. The
        first event is :class:`Hello`. To show values without a gap: wait for it, read the values, and then take
        each :class:`ValueChanged` whose `seq` is above the one that you have for the pin.

        >>> for event in client.stream():
        ...     if isinstance(event, Hello):
        ...         client.values.set(device.id, "V1", 42)
        ...     if isinstance(event, ValueChanged):
        ...         print(event.pin, event.value, event.source)
        ...         break
        V1 42 http
        """
        return watch(self._connection, list(devices), last_event_id)
