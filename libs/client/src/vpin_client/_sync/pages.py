"""Lists, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from vpin_client._sync.connection import Connection
from vpin_client.models import Model

T = TypeVar("T", bound=Model)

PAGE = 200
"""Items of a page."""


class Page(Model, Generic[T], frozen=True, kw_only=True):
    items: list[T]
    next_cursor: str | None = None


def pages(connection: Connection, path: str, kind: type[T], query: dict[str, str | None] | None = None) -> Iterator[T]:
    """Every item of a list."""
    cursor: str | None = None
    while True:
        page = connection.get(path, Page[kind], {"limit": PAGE, "cursor": cursor, **(query or {})})
        for item in page.items:
            yield item
        cursor = page.next_cursor
        if cursor is None:
            return
