"""One server: requests with their errors as exceptions, and again where that is safe."""

from __future__ import annotations

import secrets
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any, Self, TypeVar

import httpx
import msgspec

from vpin_client.errors import UnreachableError, VpinError, error_of
from vpin_client.retries import UNSENT, Attempts, Repeat

T = TypeVar("T")
Query = Mapping[str, str | int | None] | list[tuple[str, str]]


class Connection:
    """`http` is used as it is and stays its maker's to close; without, one is made."""

    def __init__(self, url: str, *, timeout: float, retries: int, http: httpx.Client | None) -> None:
        self.url = url.rstrip("/")
        self.headers: dict[str, str] = {}
        self._http = http or httpx.Client(timeout=timeout)
        self._is_own = http is None
        self._retries = retries

    def close(self) -> None:
        if self._is_own:
            self._http.close()

    def get(self, path: str, kind: type[T], query: Query | None = None) -> T:
        """The answer to a read."""
        return msgspec.json.decode(self.ask("GET", path, query=query).content, type=kind)

    def call(self, method: str, path: str, kind: type[T], body: object = None, **more: Any) -> T:
        """The JSON that answers a request with a JSON body."""
        response = self.ask(method, path, content=msgspec.json.encode(body), **more)
        return msgspec.json.decode(response.content, type=kind)

    def create(self, path: str, kind: type[T], body: object = None, key: str = "") -> T:
        """POST with an idempotency key, so that it is done once however often it is sent."""
        headers = {"idempotency-key": key or secrets.token_hex(16)}
        return self.call("POST", path, kind, body, headers=headers)

    def delete(self, path: str, query: Query | None = None) -> None:
        """DELETE; where it was sent again and nothing is there any more, the first attempt has done it."""
        self.ask("DELETE", path, query=query, gone_is_done=True)

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        content: bytes | None = None,
        files: Any = None,
        headers: Mapping[str, str] | None = None,
        repeat: Repeat = Repeat.ALWAYS,
        gone_is_done: bool = False,
    ) -> httpx.Response:
        """The answer of success (or a redirection); anything else is raised."""
        sent_headers = {**self.headers, **(headers or {})}
        if content is not None:
            sent_headers.setdefault("content-type", "application/json")
        attempts = Attempts(repeat, self._retries)
        while True:
            sent = True
            error: VpinError
            try:
                response = self._http.request(
                    method,
                    f"{self.url}{path}",
                    params=_params(query),
                    content=content,
                    files=files,
                    headers=sent_headers,
                )
            except httpx.TransportError as fault:
                sent = not isinstance(fault, UNSENT)
                error = UnreachableError(f"{method} {path}: {fault or type(fault).__name__}")
                error.__cause__ = fault
            else:
                if response.status_code < 400 or (gone_is_done and attempts.made and response.status_code == 404):
                    return response
                error = error_of(response)
            time.sleep(attempts.pause(error, sent=sent))

    @contextmanager
    def open(
        self, path: str, *, query: Query | None = None, headers: Mapping[str, str] | None = None, silence: float
    ) -> Generator[httpx.Response]:
        """An answer that is read as it comes, once; `silence`: seconds without a byte until it counts as lost."""
        timeout = httpx.Timeout(10, read=silence)
        sent_headers = {**self.headers, **(headers or {})}
        try:
            with self._http.stream(
                "GET", f"{self.url}{path}", params=_params(query), headers=sent_headers, timeout=timeout
            ) as response:
                if response.status_code >= 400:
                    response.read()
                    raise error_of(response)
                yield response
        except httpx.TransportError as fault:
            raise UnreachableError(f"GET {path}: {fault or type(fault).__name__}") from fault


class Connected:
    """What every client is to its user: it has one connection, and closes it."""

    _connection: Connection

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _params(query: Query | None) -> httpx.QueryParams | None:
    """What is None is left out."""
    if query is None:
        return None
    pairs = query if isinstance(query, list) else query.items()
    return httpx.QueryParams([(name, str(value)) for name, value in pairs if value is not None])
