"""The live stream: its lines, its events, and going on where it was lost; no sockets."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import httpx
import pytest
from vpin_client import Client, EventLogged, Hello, Reset, StatusChanged, UnauthorizedError, ValueChanged
from vpin_client.sse import Message, Parser

AT = "2026-11-21T18:00:00.123Z"
HELLO = f'id: 7-41\nevent: hello\ndata: {{"epoch":7,"seq":1041,"now":"{AT}"}}\n\n'


def value(number: int, shown: str = "21.5") -> str:
    data = f'{{"deviceId":9,"pin":"V1","value":{shown},"at":"{AT}","source":"device","seq":{number}}}'
    return f"id: 7-{number}\nevent: value\ndata: {data}\n\n"


class Server:
    """Each connection gets the next text, then it is lost."""

    def __init__(self, *texts: str | int) -> None:
        self.texts = list(texts)
        self.seen: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        text = self.texts.pop(0)
        if isinstance(text, int):
            return httpx.Response(text, headers={"retry-after": "3"})
        return httpx.Response(200, content=self.chunks(text))

    def chunks(self, text: str) -> Iterator[bytes]:
        for at in range(0, len(text), 7):
            yield text[at : at + 7].encode()
        raise httpx.ReadError("lost")

    def stream(self, **more: Any) -> Iterator[Any]:
        return Client("http://test", http=httpx.Client(transport=httpx.MockTransport(self))).stream(**more)


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr("vpin_client._sync.stream.time.sleep", slept.append)
    return slept


def feed(text: str) -> tuple[list[Message], Parser]:
    parser = Parser()
    return [found for line in text.split("\n") if (found := parser.feed(line))], parser


def test_lines_become_messages() -> None:
    found, parser = feed(
        "retry: 1500\n\n: comment\nid: 7-1\nevent: a\ndata: 1\ndata:2\nnew: field\n\ndata: x\n\nevent: none\n\n"
    )
    assert found == [Message("a", "1\n2"), Message("message", "x")]
    assert (parser.last_id, parser.retry) == ("7-1", 1.5)


def test_events_have_their_types() -> None:
    status = f'event: status\ndata: {{"deviceId":9,"status":"offline","at":"{AT}"}}\n\n'
    event = f'event: event\ndata: {{"deviceId":9,"id":5,"code":"hot","severity":"warning","at":"{AT}","resolvedAt":null}}\n\n'
    reset = f'event: reset\ndata: {{"epoch":7,"seq":1,"now":"{AT}"}}\n\n'
    later = "event: later\ndata: {}\n\n"
    found = list(islice(Server(HELLO + later + status + event + reset + value(3, '["a",1]')).stream(), 5))
    assert [type(each) for each in found] == [Hello, StatusChanged, EventLogged, Reset, ValueChanged]
    assert found[-1].value == ["a", 1]


def test_a_lost_stream_goes_on_behind_the_last_event(pauses: list[float]) -> None:
    server = Server("retry: 500\n\n" + HELLO + value(42), 503, value(43), value(44))
    found = list(islice(server.stream(devices=[9, 10]), 4))
    assert [getattr(each, "seq", None) for each in found] == [1041, 42, 43, 44]
    assert [request.headers.get("last-event-id") for request in server.seen] == [None, "7-42", "7-42", "7-43"]
    assert server.seen[0].url.params["devices"] == "9,10"
    assert pauses[:2] == [2.0, 3]


def test_it_begins_behind_an_event_of_before() -> None:
    server = Server(value(8))
    next(server.stream(last_event_id="7-7"))
    assert server.seen[0].headers["last-event-id"] == "7-7"


def test_without_a_session_there_is_no_stream() -> None:
    with pytest.raises(UnauthorizedError):
        next(Server(401).stream())
