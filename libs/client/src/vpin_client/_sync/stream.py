"""The live stream, made again where it is lost (spec 08, 5)."""

from __future__ import annotations

import time
from collections.abc import Iterator

import msgspec

from vpin_client._sync.connection import Connection
from vpin_client.errors import BusyError, TooManyRequestsError, UnreachableError
from vpin_client.models import KINDS, StreamEvent
from vpin_client.sse import Parser

SILENCE = 40.0
"""Seconds without a byte until a stream counts as lost: there is a comment line every 15."""


def watch(connection: Connection, devices: list[int], last_event_id: str) -> Iterator[StreamEvent]:
    """Events without end; whatever is no passing trouble of the connection is raised."""
    parser = Parser(last_event_id)
    query = {"devices": ",".join(map(str, devices)) or None}
    while True:
        pause = parser.retry
        headers = {"last-event-id": parser.last_id} if parser.last_id else {}
        try:
            with connection.open("/stream", query=query, headers=headers, silence=SILENCE) as response:
                parser = Parser(parser.last_id)
                for line in response.iter_lines():
                    message = parser.feed(line)
                    if message is not None and (kind := KINDS.get(message.kind)) is not None:
                        yield msgspec.json.decode(message.data, type=kind)
        except UnreachableError:
            pass
        except (BusyError, TooManyRequestsError) as busy:
            pause = max(pause, busy.retry_after)
        time.sleep(pause)
