"""One HTTP request to an outer service: time limits, and what a failure means."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from vpin_notify.providers import Refused, Unavailable

if TYPE_CHECKING:
    import httpx

SECONDS = 10.0  # for a whole exchange
CONNECT_SECONDS = 3.0  # a board waits for the answer
MOST = 64 * 1024  # bytes of an answer that are read

logging.getLogger("httpx").setLevel(logging.WARNING)  # it would log addresses with keys in them


class Answer(NamedTuple):
    status: int
    body: bytes


class HttpClient:
    """Connections to one service are kept; the library is loaded with the first request."""

    def __init__(self) -> None:
        self._client: httpx.AsyncClient | None = None

    async def post(self, url: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        """The service's answer. Unavailable when it can't be reached, Refused when it may have taken the request."""
        import httpx

        if self._client is None:
            timeout = httpx.Timeout(SECONDS, connect=CONNECT_SECONDS)
            self._client = httpx.AsyncClient(
                timeout=timeout, headers={"User-Agent": "vpin", "Accept-Encoding": "identity"}
            )
        try:
            async with self._client.stream("POST", url, content=body, headers=headers) as response:
                found = bytearray()
                async for part in response.aiter_raw(MOST):
                    found += part
                    if len(found) > MOST:
                        raise Refused("the service's answer is too long")
                return Answer(response.status_code, bytes(found))
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise Unavailable(f"the service can't be reached: {type(error).__name__}") from error
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise Refused("the service's address is none") from error
        except httpx.HTTPError as error:
            raise Refused(f"the service did not answer: {type(error).__name__}") from error

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
