"""Requests as they are sent, answers as they are read, errors and repeats; no sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import pytest
from vpin_client import (
    ApiError,
    AsyncClient,
    AsyncIotClient,
    AsyncPinClient,
    BadRequestError,
    BusyError,
    Client,
    ConflictError,
    Datastream,
    DatastreamFields,
    EventFields,
    InvalidError,
    IotClient,
    NotFoundError,
    PinClient,
    TooManyRequestsError,
    UnauthorizedError,
    UnreachableError,
    VpinError,
)

NOW = "2026-11-21T18:00:00.123Z"
DEVICE = {"id": 7, "name": "one", "status": "offline", "token": "t" * 32, "createdAt": NOW, "somethingNew": 1}
USER = {"id": 1, "email": "anna@example.com", "name": "Anna", "tz": "UTC", "role": "user", "createdAt": NOW}

Answer = httpx.Response | Exception


class Server:
    """Gives the answers in turn, the last one again and again; `seen` has the requests."""

    def __init__(self, *answers: Answer | Callable[[httpx.Request], httpx.Response]) -> None:
        self.answers: list[Any] = list(answers)
        self.seen: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else answer(request)

    def client(self, **more: Any) -> Client:
        return Client("http://test/", http=httpx.Client(transport=httpx.MockTransport(self)), **more)

    @property
    def last(self) -> tuple[str, str, Any]:
        """Method, path with query, and JSON of the last request."""
        request = self.seen[-1]
        return request.method, request.url.raw_path.decode(), json.loads(request.content) if request.content else None


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Nobody sleeps; the seconds."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("vpin_client._sync.connection.time.sleep", slept.append)
    monkeypatch.setattr("vpin_client._async.connection.asyncio.sleep", sleep)
    return slept


def ok(body: Any = None, status: int = 200) -> httpx.Response:
    return httpx.Response(status, json=body) if body is not None else httpx.Response(204)


def problem(status: int, detail: str = "No.", headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
    body = {"type": "about:blank", "title": "T", "status": status, "detail": detail, **more}
    kind = {"content-type": "application/problem+json", **(headers or {})}
    return httpx.Response(status, content=json.dumps(body), headers=kind)


# -- sessions


def test_a_log_in_is_used_by_all_that_follows() -> None:
    server = Server(ok({"token": "s3cret", "expiresAt": NOW, "user": USER}, 201), ok(USER), ok())
    client = server.client()
    session = client.log_in("anna@example.com", "correct horse")
    assert session.user.created_at == datetime(2026, 11, 21, 18, 0, 0, 123_000, UTC)
    assert client.token == "s3cret"
    assert client.me().name == "Anna"
    assert server.seen[-1].headers["authorization"] == "Bearer s3cret"
    client.log_out()
    assert client.token == ""
    assert server.seen[0].headers.get("authorization") is None


def test_a_token_of_before_is_enough() -> None:
    server = Server(ok(USER))
    assert server.client(token="s3cret").me().id == 1
    assert server.seen[0].headers["authorization"] == "Bearer s3cret"


# -- requests


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda c: c.health(), ("GET", "/api/v1/health", None)),
        (lambda c: c.update_me(tz="Asia/Tokyo"), ("PATCH", "/api/v1/me", {"tz": "Asia/Tokyo"})),
        (lambda c: c.change_password("a", "b"), ("PUT", "/api/v1/me/password", {"current": "a", "new": "b"})),
        (lambda c: c.templates.delete("TMPL1", force=True), ("DELETE", "/api/v1/templates/TMPL1?force=true", None)),
        (lambda c: c.templates.delete_datastream("TMPL1", "V1"), ("DELETE", "/api/v1/templates/TMPL1/datastreams/V1", None)),
        (lambda c: c.templates.delete_event("a/b", "hot"), ("DELETE", "/api/v1/templates/a%2Fb/events/hot", None)),
        (lambda c: c.devices.delete(7), ("DELETE", "/api/v1/devices/7", None)),
        (lambda c: c.values.set(7, "V1", 21.5), ("PUT", "/api/v1/devices/7/values/V1", {"value": 21.5})),
        (lambda c: c.values.set_many(7, {"V1": [1, "x"]}), ("PUT", "/api/v1/devices/7/values", {"V1": [1, "x"]})),
        (lambda c: c.values.forget(7, "V1"), ("DELETE", "/api/v1/devices/7/values/V1", None)),
        (lambda c: c.events.resolve(7, 5), ("POST", "/api/v1/devices/7/events/5/resolve", None)),
        (lambda c: c.history.delete(7, "V1"), ("DELETE", "/api/v1/devices/7/history?pin=V1", None)),
    ],
)  # fmt: skip
def test_what_is_sent(call: Callable[[Client], object], expected: object) -> None:
    server = Server(ok({**USER, "status": "ok", "version": "1"}))
    call(server.client())
    assert server.last == expected


def test_a_patch_names_what_changes_and_none_takes_away() -> None:
    server = Server(ok(DEVICE))
    server.client().devices.update(7, template_id=None, board_type="ESP32", metadata={"room": None})
    assert server.last[2] == {"templateId": None, "boardType": "ESP32", "metadata": {"room": None}}


def test_a_datastream_is_put_without_its_defaults_and_comes_back_whole() -> None:
    answer = {
        "id": 1,
        "pinType": "VIRTUAL",
        "pin": 1,
        "name": "Temperature",
        "valueType": "DOUBLE",
        "min": -40,
        "unit": "°C",
    }
    server = Server(ok(answer, 201))
    fields = DatastreamFields(name="Temperature", value_type="DOUBLE", min=-40, unit="°C")
    made = server.client().templates.put_datastream("TMPL1", "V1", fields)
    assert server.last[2] == {"name": "Temperature", "valueType": "DOUBLE", "min": -40, "unit": "°C"}
    assert isinstance(made, Datastream)
    assert (made.id, made.unit, made.decimals) == (1, "°C", None)


def test_an_event_is_put() -> None:
    server = Server(ok({"code": "hot", "name": "Too hot"}))
    assert server.client().templates.put_event("TMPL1", "hot", EventFields(name="Too hot")).severity == "info"
    assert server.last[2]["name"] == "Too hot"


def test_what_is_unknown_in_an_answer_is_ignored_and_what_is_wrong_is_not() -> None:
    assert Server(ok(DEVICE)).client().devices.get(7).connected_at is None
    with pytest.raises(msgspec.ValidationError):
        Server(ok({"id": "no number"})).client().devices.get(7)


@pytest.mark.parametrize("value", ["21", 21, 21.5, "", None, ["21", 21, 2.5]])
def test_a_text_stays_a_text_and_a_number_a_number(value: object) -> None:
    found = Server(ok({"pin": "V1", "name": "V1", "value": value, "seq": 3})).client().values.get(7, "V1").value
    assert (found, type(found)) == (value, type(value))
    if isinstance(value, list):
        assert isinstance(found, list)
        assert [type(part) for part in found] == [str, int, float]


def test_a_list_is_read_page_by_page_as_it_is_needed() -> None:
    pages = [ok({"items": [{**DEVICE, "id": i}], "nextCursor": f"c{i}" if i < 3 else None}) for i in (1, 2, 3)]
    server = Server(*pages)
    devices = server.client().devices.all()
    assert next(devices).id == 1
    assert len(server.seen) == 1
    assert [device.id for device in devices] == [2, 3]
    assert [request.url.params.get("cursor") for request in server.seen] == [None, "c1", "c2"]


def test_history_and_its_period() -> None:
    server = Server(ok({"pin": "V1", "step": "hour", "points": [[1000, 1.5]]}))
    start = datetime(2026, 1, 1, tzinfo=UTC)
    found = server.client().history.get(7, "V1", start=start, step="hour", aggregate="max", limit=5)
    assert found.points == [(1000, 1.5)]
    query = dict(server.seen[0].url.params)
    assert query == {"pin": "V1", "from": start.isoformat(), "step": "hour", "aggregate": "max", "limit": "5"}
    server = Server(httpx.Response(200, text="time,value\n1,2\n"))
    assert list(server.client().history.csv(7, "V1")) == ["time,value", "1,2"]
    assert server.seen[0].headers["accept"] == "text/csv"


# -- errors


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, UnauthorizedError), (404, NotFoundError), (409, ConflictError), (418, ApiError), (500, ApiError)],
)
def test_a_problem_is_an_exception(status: int, kind: type[ApiError]) -> None:
    with pytest.raises(kind) as caught:
        Server(problem(status)).client().me()
    assert (caught.value.status, caught.value.detail, str(caught.value)) == (status, "No.", f"{status}: No.")
    assert isinstance(caught.value, VpinError)


def test_an_invalid_request_says_where() -> None:
    errors = [{"loc": ["body", "pin"], "msg": "no pin"}]
    with pytest.raises(InvalidError) as caught:
        Server(problem(422, errors=errors)).client().me()
    assert caught.value.errors == ((("body", "pin"), "no pin"),)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(400, text="Invalid token."),
        httpx.Response(400, json={"error": {"message": "Invalid token."}}),
    ],
)
def test_texts_and_iot_errors(answer: httpx.Response) -> None:
    with pytest.raises(BadRequestError, match=r"Invalid token\."):
        Server(answer).client().me()


@pytest.mark.parametrize("body", ["", "<html>", '{"error": 5}', "[]"])
def test_an_answer_of_somebody_else(body: str) -> None:
    answer = httpx.Response(502, text=body, headers={"content-type": "application/json"})
    with pytest.raises(ApiError) as caught:
        Server(answer).client().me()
    assert caught.value.detail == "Bad Gateway"


# -- repeats

LOST = httpx.ReadError("lost")
UNSEEN = httpx.ConnectError("refused")
BUSY = problem(503, headers={"retry-after": "1"})

READS = [lambda c: c.devices.get(7), lambda c: next(c.devices.all(), None)]
MAKES = [lambda c: c.devices.create("one"), lambda c: c.devices.renew_token(7)]
WRITES = [
    lambda c: c.values.set(7, "V1", 1),
    lambda c: c.devices.update(7, name="x"),
    lambda c: c.change_password("a", "b"),
]


@pytest.mark.parametrize("call", READS + MAKES + WRITES)
@pytest.mark.parametrize("failure", [UNSEEN, BUSY])
def test_what_was_not_done_is_sent_again(
    call: Callable[[Client], object], failure: Answer, pauses: list[float]
) -> None:
    server = Server(failure, failure, ok({**DEVICE, "items": []}))
    call(server.client())
    assert len(server.seen) == 3
    assert len(pauses) == 2
    assert failure is not BUSY or min(pauses) >= 1


@pytest.mark.parametrize("call", READS + MAKES)
def test_what_may_be_done_twice_is_sent_again_after_a_lost_answer(call: Callable[[Client], object]) -> None:
    server = Server(LOST, ok({**DEVICE, "items": []}))
    call(server.client())
    assert len(server.seen) == 2
    assert len({request.headers.get("idempotency-key") for request in server.seen}) == 1


@pytest.mark.parametrize("call", WRITES)
def test_a_write_is_not_sent_again_after_a_lost_answer(call: Callable[[Client], object]) -> None:
    server = Server(LOST, ok(DEVICE))
    with pytest.raises(UnreachableError):
        call(server.client())
    assert len(server.seen) == 1


def test_what_is_made_has_a_key_of_its_own_each_time() -> None:
    server = Server(ok(DEVICE, 201))
    client = server.client()
    client.devices.create("one")
    client.devices.create("one")
    client.devices.create("one", key="mine")
    keys = [request.headers["idempotency-key"] for request in server.seen]
    assert len(set(keys)) == 3
    assert keys[-1] == "mine"


def test_a_deletion_that_was_done_at_the_first_attempt_is_done() -> None:
    server = Server(LOST, problem(404))
    server.client().devices.delete(7)
    with pytest.raises(NotFoundError):
        Server(problem(404)).client().devices.delete(7)


def test_there_is_an_end_to_it_and_long_waits_are_the_callers() -> None:
    server = Server(UNSEEN)
    with pytest.raises(UnreachableError, match="refused"):
        server.client(retries=3).me()
    assert len(server.seen) == 4
    server = Server(problem(429, headers={"retry-after": "60"}))
    with pytest.raises(TooManyRequestsError) as caught:
        server.client().me()
    assert (len(server.seen), caught.value.retry_after) == (1, 60)
    server = Server(BUSY)
    with pytest.raises(BusyError):
        server.client(retries=0).me()
    assert len(server.seen) == 1


# -- pin APIs


def test_the_older_pin_api() -> None:
    server = Server(ok(["1", "2"]))
    pins = PinClient("http://test", "tok", http=httpx.Client(transport=httpx.MockTransport(server)))
    assert pins.read("V1") == ["1", "2"]
    assert server.last == ("GET", "/tok/get/V1", None)
    pins.write("V1", 1, True, 2.5, "x")
    assert server.last == ("PUT", "/tok/update/V1", ["1", "1", "2.5", "x"])
    pins.set_property("V1", "label", "a b")
    assert server.last == ("GET", "/tok/update/V1?label=a+b", None)
    pins.add_points("V1", [(1000, 7)])
    assert server.last == ("PUT", "/tok/extra/pin/V1", [{"timestamp": 1000, "value": "7"}])
    pins.notify("hi")
    assert server.last == ("POST", "/tok/notify", {"body": "hi"})
    pins.mail("a@example.com", "s", "t")
    assert server.last == ("POST", "/tok/email", {"to": "a@example.com", "subj": "s", "title": "t"})
    server.answers = [ok(True)]
    assert pins.is_online()
    assert pins.is_app_online()
    server.answers = [ok([5])]
    assert pins.clock() == 5
    server.answers = [httpx.Response(301, headers={"location": "/x.csv.gz"})]
    assert pins.history("V1") == "/x.csv.gz"


def test_the_iot_api() -> None:
    server = Server(httpx.Response(200, text="21.5"))
    iot = IotClient("http://test", "tok", http=httpx.Client(transport=httpx.MockTransport(server)))
    assert iot.get("V1") == {"V1": 21.5}
    assert server.last[:2] == ("GET", "/external/api/get?token=tok&V1=")
    for answer, value in (
        (httpx.Response(200, text="on"), "on"),
        (httpx.Response(200, json=[1, 2]), [1, 2]),
        (httpx.Response(200), None),
    ):
        server.answers = [answer]
        assert iot.get("V1") == {"V1": value}
    server.answers = [httpx.Response(200)]
    iot.update({"V1": 1, "V2": ["a", True]})
    assert server.last[1] == "/external/api/update?token=tok&V1=1&V2=a&V2=1"
    iot.update_datastream(3, 5)
    assert server.last[1] == "/external/api/update?token=tok&dataStreamId=3&value=5"
    iot.set_property("V1", labels=["On", "Off"])
    assert server.last[1] == "/external/api/update/property?token=tok&pin=V1&labels=On&labels=Off"
    iot.log_event("hot", "31 °C")
    assert server.seen[-1].url.params["description"] == "31 °C"
    iot.add_points("V1", [(1000, 1), (2000, [1.5, 2])])
    assert server.last[2] == [[1000, 1], [2000, 1.5, 2]]
    iot.set_meta(3, "x")
    assert server.last[1].endswith("metaFieldId=3&value=x")
    iot.provision("TMPL1", build="b")
    assert server.last[1].endswith("templateId=TMPL1&build=b")
    server.answers = [httpx.Response(200, text="http://test/device_uploads/x")]
    assert iot.upload("a.txt", b"data") == "http://test/device_uploads/x"
    assert b'filename="a.txt"' in server.seen[-1].content
    server.answers = [ok({"v1": 1, "v2": "x"})]
    assert iot.get_all() == {"v1": 1, "v2": "x"}
    assert iot.meta("Name") == {"v1": 1, "v2": "x"}
    server.answers = [ok({"link": "l"})]
    assert iot.export(pin="V1", period="DAY") == "l"


# -- the other face


def test_the_asynchronous_clients_do_the_same() -> None:
    server = Server(UNSEEN, ok({"items": [DEVICE], "nextCursor": None}))

    def http() -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(server))

    async def use() -> None:
        async with AsyncClient("http://test", token="s", http=http()) as client:
            assert [device.id async for device in client.devices.all()] == [7]
            server.answers = [problem(404)]
            with pytest.raises(NotFoundError):
                await client.values.get(7, "V1")
        async with AsyncPinClient("http://test", "tok", http=http()) as pins:
            server.answers = [ok(["1"])]
            assert await pins.read("V1") == ["1"]
        async with AsyncIotClient("http://test", "tok", http=http()) as iot:
            server.answers = [ok({"v1": 1})]
            assert await iot.get_all() == {"v1": 1}

    asyncio.run(use())
