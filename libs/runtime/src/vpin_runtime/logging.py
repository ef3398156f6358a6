"""structlog for every process: a line per event on standard error, JSON unless that is a terminal, secrets redacted."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from contextvars import ContextVar
from typing import Any, cast

import structlog

__all__ = ["configure", "redact", "request_id"]

HIDDEN = "***"
SECRET_NAMES = ("token", "password", "passwd", "secret", "credential", "authorization", "cookie", "api_key", "apikey")
SECRET_IN_URL = re.compile(r"(?<=://)[^/@\s:]*:[^/@\s]*(?=@)")
LOUD_LIBRARIES = ("aio_pika", "aiormq", "aiosqlite", "asyncio", "httpx", "httpcore", "uvicorn", "alembic", "sqlalchemy")

Event = MutableMapping[str, Any]

request_id: ContextVar[bytes] = ContextVar("request_id", default=b"")
"""Id of the HTTP request that is being answered: it stands in every line that is logged meanwhile."""


def configure(level: str = "info", as_json: bool | None = None) -> None:
    """Set up structlog and the standard library's logging. `as_json` None: JSON unless standard error is a terminal."""
    threshold = logging.getLevelNamesMapping().get(level.upper())
    if threshold is None:
        raise ValueError(f"{level!r} is no log level: give debug, info, warning or error")
    json_lines = not sys.stderr.isatty() if as_json is None else as_json
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        _add_request_id,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
    ]
    final: list[structlog.typing.Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
        if json_lines
        else [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    )
    structlog.configure(
        processors=[*shared, *final],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *final],
        )
    )
    logging.basicConfig(handlers=[handler], level=threshold, force=True)
    for name in LOUD_LIBRARIES:  # their lines say what ours say already, unless something is wrong
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))


def _add_request_id(_logger: object, _method: str, event: Event) -> Event:
    if found := request_id.get():
        event.setdefault("request", found.decode("ascii"))
    return event


def redact(_logger: object, _method: str, event: Event) -> Event:
    """Processor: hide values whose name tells that they are secret, and passwords inside URLs, at any depth."""
    for name, value in event.items():
        event[name] = HIDDEN if _is_secret(name) and value else _cleaned(value)
    return event


def _is_secret(name: str) -> bool:
    lower = name.lower()
    return lower == "pass" or any(part in lower for part in SECRET_NAMES)


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return SECRET_IN_URL.sub(HIDDEN, value) if "://" in value else value
    if isinstance(value, Mapping):
        items = cast("Mapping[Any, Any]", value).items()
        return {name: HIDDEN if _is_secret(str(name)) and part else _cleaned(part) for name, part in items}
    if isinstance(value, list | tuple):
        return [_cleaned(part) for part in cast("Iterable[Any]", value)]
    return value
