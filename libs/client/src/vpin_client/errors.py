"""What goes wrong, as exceptions: all of them are a :class:`VpinError`."""

from __future__ import annotations

from typing import Any, NamedTuple

import httpx
import msgspec

PROBLEM = "application/problem+json"


class VpinError(Exception):
    """Anything that this package raises."""


class UnreachableError(VpinError):
    """The server could not be reached, or the connection was lost before its answer came."""


class FieldError(NamedTuple):
    """What is wrong where in a request."""

    loc: tuple[str | int, ...]
    msg: str


class ApiError(VpinError):
    """The server has refused the request. `status` is of HTTP, `detail` its text, `errors` tells what is wrong where."""

    def __init__(
        self, status: int, detail: str = "", errors: tuple[FieldError, ...] = (), retry_after: float = 0
    ) -> None:
        super().__init__(f"{status}: {detail}" if detail else str(status))
        self.status = status
        self.detail = detail
        self.errors = errors
        self.retry_after = retry_after
        """Seconds after which the server wants to be asked again; 0: it did not say."""


class BadRequestError(ApiError):
    """400: the pin APIs refuse so, e.g. ``Invalid token.``."""


class UnauthorizedError(ApiError):
    """401: log in first, or again; or e-mail and password are wrong."""


class ForbiddenError(ApiError):
    """403: not allowed on this server."""


class NotFoundError(ApiError):
    """404: there is no such object in this account."""


class ConflictError(ApiError):
    """409: it does not go together with what is there."""


class InvalidError(ApiError):
    """422: the request does not fit; `errors` tells where."""


class TooManyRequestsError(ApiError):
    """429: come again after `retry_after` seconds."""


class BusyError(ApiError):
    """503: the server is starting or has too much to do."""


_BY_STATUS: dict[int, type[ApiError]] = {
    400: BadRequestError,
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    422: InvalidError,
    429: TooManyRequestsError,
    503: BusyError,
}


def error_of(response: httpx.Response) -> ApiError:
    """The exception for an answer that is none of success; its body has been read."""
    detail, errors = _told(response)
    waits = response.headers.get("retry-after", "")
    kind = _BY_STATUS.get(response.status_code, ApiError)
    return kind(response.status_code, detail, errors, float(waits) if waits.isdecimal() else 0)


class _Place(msgspec.Struct):
    loc: list[str | int]
    msg: str


class _Problem(msgspec.Struct):
    title: str = ""
    detail: str = ""
    errors: list[_Place] = []


def _told(response: httpx.Response) -> tuple[str, tuple[FieldError, ...]]:
    """Detail and errors of the management API's problem, of an IoT error, or of the older API's plain text."""
    kind = response.headers.get("content-type", "")
    try:
        if kind.startswith(PROBLEM):
            problem = msgspec.json.decode(response.content, type=_Problem)
            return problem.detail or problem.title, tuple(FieldError(tuple(e.loc), e.msg) for e in problem.errors)
        if kind.startswith("application/json"):
            found: dict[str, dict[str, Any]] = msgspec.json.decode(response.content)
            return str(found["error"]["message"]), ()
    except (msgspec.MsgspecError, KeyError, TypeError):
        pass
    return response.text if kind.startswith("text/plain") else response.reason_phrase, ()
