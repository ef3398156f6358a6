"""The live stream (spec 08, 5), and what ties it to the values: seq and source (4)."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from conformance_v1.clients import Api, Board
from conformance_v1.reading import Sleepy, Stream, Told

pytestmark = pytest.mark.integration

Connect = Callable[[str], Board]
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def put(api: Api, device: dict[str, Any], pin: str, value: object) -> None:
    api.call("PUT", f"/devices/{device['id']}/values/{pin}", 204, {"value": value})


def value_is(value: object) -> Callable[[Told], bool]:
    return lambda told: told.kind == "value" and told.data["value"] == value


def test_the_stream_begins_with_hello(api: Api) -> None:
    with Stream(api) as stream:
        assert stream.response.headers["content-type"].startswith("text/event-stream")
        hello = stream.next()
        assert (hello.kind, hello.data.keys()) == ("hello", {"epoch", "seq", "now"})
        assert TIME.fullmatch(hello.data["now"])
        assert hello.id


def test_a_write_is_told_with_all_that_there_is_to_say(api: Api) -> None:
    device = api.device()
    with Stream(api) as stream:
        hello = stream.next()
        put(api, device, "V1", 21.5)
        told = stream.next()
        assert told.kind == "value"
        assert told.data.keys() == {"deviceId", "pin", "value", "at", "source", "seq"}
        assert (told.data["deviceId"], told.data["pin"], told.data["value"]) == (device["id"], "V1", 21.5)
        assert TIME.fullmatch(told.data["at"])
        assert told.data["seq"] == hello.data["seq"] + 1
        item = api.call("GET", f"/devices/{device['id']}/values/V1", 200)
        assert (item["seq"], item["updatedAt"]) == (told.data["seq"], told.data["at"])


def test_it_is_said_who_wrote(api: Api, board: Connect, base: str) -> None:
    device = api.device()
    connected = board(device["token"])
    with Stream(api) as stream:
        stream.next("hello")
        for round_ in range(2):  # the second time each on the fast way
            connected.write(1, f"b{round_}")
            assert stream.next("value").data["source"] == "device"
            assert httpx.get(f"{base}/{device['token']}/update/V1?value=h{round_}").status_code == 200
            assert stream.next("value").data["source"] == "http"
            put(api, device, "V1", f"m{round_}")
            assert stream.next("value").data["source"] == "http"
    (item,) = api.call("GET", f"/devices/{device['id']}/values", 200)
    assert item["source"] == "http"
    connected.write(1, "b")
    assert api.call("GET", f"/devices/{device['id']}/values/V1", 200)["source"] == "device"


def test_a_pin_that_is_forgotten_is_told(api: Api) -> None:
    device = api.device(api.template(V1={"valueType": "INT", "defaultValue": 7}))
    put(api, device, "V1", 9)
    with Stream(api) as stream:
        seq = stream.next("hello").data["seq"]
        api.call("DELETE", f"/devices/{device['id']}/values/V1", 204)
        told = stream.next("value").data
        assert (told["value"], told["source"]) == (7, "default")
        assert told["seq"] > seq


def test_a_board_that_comes_and_goes_is_told(api: Api, board: Connect) -> None:
    device = api.device()
    with Stream(api) as stream:
        stream.next("hello")
        connected = board(device["token"])
        told = stream.next("status").data
        assert told.keys() == {"deviceId", "status", "at"}
        assert (told["deviceId"], told["status"]) == (device["id"], "online")
        connected.socket.close()
        assert stream.next("status").data["status"] == "offline"


def test_an_event_is_told_as_it_is_listed(api: Api, base: str) -> None:
    template = api.template()
    api.call("PUT", f"/templates/{template}/events/too_hot", 201, {"name": "Too hot", "severity": "critical"})
    device = api.device(template)
    with Stream(api) as stream:
        stream.next("hello")
        answer = httpx.get(f"{base}/external/api/logEvent?token={device['token']}&code=too_hot&description=31%20C")
        assert answer.status_code == 200
        path = f"/devices/{device['id']}/events"

        def told_as_listed() -> dict[str, Any]:
            (listed,) = [one for one in api.call("GET", path, 200)["items"] if one["code"] == "too_hot"]
            assert stream.next("event").data == {"deviceId": device["id"]} | listed
            return listed

        first = told_as_listed()
        api.call("POST", f"{path}/{first['id']}/resolve", 204)
        assert told_as_listed()["resolvedAt"]


def test_only_the_named_devices_are_told(api: Api) -> None:
    first, second, third = (api.device() for _ in range(3))
    with Stream(api, devices=f"{first['id']},{third['id']}") as stream:
        stream.next("hello")
        for device in (second, first, second, third):
            put(api, device, "V1", device["id"])
        assert [stream.next("value").data["value"] for _ in range(2)] == [first["id"], third["id"]]


def test_nobody_hears_of_another_account(api: Api, make_api: Callable[..., Api]) -> None:
    other = make_api()
    theirs, ours = other.device(), api.device()
    api.call("GET", "/stream", 404, params={"devices": f"{ours['id']},{theirs['id'] + 1000}"})
    api.call("GET", "/stream", 422, params={"devices": "one"})
    with Stream(api) as stream:
        stream.next("hello")
        put(other, theirs, "V1", "theirs")
        put(api, ours, "V1", "ours")
        assert stream.next("value").data["value"] == "ours"


def test_without_a_session_there_is_no_stream(base: str) -> None:
    answer = httpx.get(f"{base}/api/v1/stream")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


def test_who_comes_back_gets_what_was_missed(api: Api) -> None:
    device = api.device()
    with Stream(api) as stream:
        stream.next("hello")
        put(api, device, "V1", "seen")
        stream.next("value")
        last = stream.last
    for n in range(5):
        put(api, device, "V1", n)
        put(api, device, "V2", n)
    with Stream(api, last=last) as stream:
        assert stream.next().kind == "hello"
        missed = stream.until(lambda told: told.data.get("pin") == "V2" and told.data["value"] == 4)
        assert {told.kind for told in missed} == {"value"}
        seqs = [told.data["seq"] for told in missed]
        assert seqs == sorted(set(seqs))
        assert len(missed) == 10
        put(api, device, "V1", "live")
        assert stream.next().data["value"] == "live"


def test_who_comes_back_from_another_time_is_told_to_begin_anew(api: Api) -> None:
    for last in ("1-1", "nonsense"):
        with Stream(api, last=last) as stream:
            assert [stream.next().kind for _ in range(2)] == ["hello", "reset"]


def test_who_has_missed_more_than_a_thousand_is_told_to_begin_anew(api: Api) -> None:
    device = api.device()
    with Stream(api) as stream:
        stream.next("hello")
        last = stream.last
    for n in range(11):
        values = {f"{kind}{pin}": n for kind in "VD" for pin in range(50)}
        api.call("PUT", f"/devices/{device['id']}/values", 204, values)
    with Stream(api, last=last) as stream:
        assert [stream.next().kind for _ in range(2)] == ["hello", "reset"]
        put(api, device, "V1", "live")
        assert stream.next().data["value"] == "live"


def test_who_does_not_read_gets_one_reset_and_is_not_waited_for(api: Api) -> None:
    """More events than a reader may be behind, and more bytes than sockets hold."""
    device = api.device()
    with Sleepy(api) as sleepy, Stream(api) as stream:
        stream.next("hello")
        for n in range(40):
            values = {f"V{pin}": f"{n}.{'x' * 9_000}" for pin in range(50)}
            api.call("PUT", f"/devices/{device['id']}/values", 204, values)
        put(api, device, "D1", "last")
        assert stream.until(value_is("last"))
        kinds, size = sleepy.until('"last"')
        assert size < 40 * 50 * 9_000 / 2, "what waits for it is bounded"
        assert kinds.count("reset") == 1
        put(api, device, "D1", "live")
        assert sleepy.until('"live"')[0] == ["value"], "then it goes on"


def test_a_page_joins_without_a_gap_and_sees_nothing_twice(api: Api) -> None:
    """While others write: values that were read and events behind them make the present state at every moment."""
    device = api.device()
    path = f"/devices/{device['id']}/values"
    stop = threading.Event()
    page: dict[str, Any] = {}

    def write(pin: int) -> None:
        with httpx.Client(base_url=api.http.base_url, headers=api.http.headers) as http:
            n = 0
            while not stop.is_set():
                n += 1
                http.put(f"{path}/V{pin}", json={"value": n})
            http.put(f"{path}/V{pin}", json={"value": -1})

    writers = [threading.Thread(target=write, args=(pin,)) for pin in range(4)]
    for writer in writers:
        writer.start()
    try:
        for round_ in range(3):
            with Stream(api) as stream:
                hello = stream.next("hello")
                page = {one["pin"]: one for one in api.call("GET", path, 200)}
                if round_ == 2:
                    stop.set()
                seen: list[int] = []
                for _ in range(30):
                    told = stream.next("value").data
                    assert told["seq"] > hello.data["seq"]
                    seen.append(told["seq"])
                    if told["pin"] not in page or told["seq"] > page[told["pin"]]["seq"]:
                        page[told["pin"]] = told
                    if round_ == 2 and len(page) == 4 and all(one["value"] == -1 for one in page.values()):
                        break
                assert seen == sorted(set(seen))
                assert seen[-1] - seen[0] == len(seen) - 1, "every number comes once"
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    now = {one["pin"]: (one["value"], one["seq"]) for one in api.call("GET", path, 200)}
    assert {pin: (one["value"], one["seq"]) for pin, one in page.items()} == now


def test_the_stream_of_a_session_that_is_over_ends(api: Api, make_api: Callable[..., Api]) -> None:
    other = make_api(api.email)
    with Stream(api) as ours, Stream(other) as theirs:
        ours.next("hello")
        theirs.next("hello")
        api.call("DELETE", "/sessions/current", 204)
        assert ours.ended(seconds=20), "another process notices within 15 s"
        device = other.device()
        put(other, device, "V1", 1)
        assert theirs.next("value").data["value"] == 1


def test_a_comment_comes_every_fifteen_seconds(quiet: tuple[Stream, float]) -> None:
    """In a stream that is open since the tests began, of an account where nothing happens."""
    stream, began = quiet
    comments = 0
    while comments < 1 or time.monotonic() - began > (comments + 1) * 15 + 2:
        assert stream.next(":", seconds=17).kind == ":"
        comments += 1
    assert time.monotonic() - began > comments * 15 - 1
