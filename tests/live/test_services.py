"""Live streams behind the broker: the owner of an account is killed, an API process is killed."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import httpx
import pytest
from conformance_v1.clients import Api
from conformance_v1.reading import Stream
from infra.suite import Suite
from infra.vpin import clean_environment, wait_ready

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    suite = Suite(tmp_path_factory.mktemp("live"), clean_environment(), apis=2)
    suite.start()
    yield suite
    suite.stop()


@pytest.fixture
def api(suite: Suite) -> Iterator[Api]:
    api = Api(f"http://{suite.http}")
    yield api
    api.http.close()


def start_again(suite: Suite, name: str) -> None:
    suite.services[name].start()
    wait_ready(suite.services[name], suite.ops[name])


def test_after_the_owner_was_killed_the_stream_says_so_and_goes_on(suite: Suite, api: Api) -> None:
    device = api.device()
    path = f"/devices/{device['id']}/values/V1"
    with Stream(api) as stream:
        hello = stream.next("hello").data
        api.call("PUT", path, 204, {"value": "before"})
        seen = stream.next("value").data
        suite.services["state"].kill()
        start_again(suite, "state")
        api.call("PUT", path, 204, {"value": "after"})
        reset = stream.next("reset", seconds=30).data
        assert reset["epoch"] != hello["epoch"]
        item = api.call("GET", path, 200)
        assert (item["value"], item["source"]) == ("after", "http")
        assert item["seq"] > seen["seq"]
        api.call("PUT", path, 204, {"value": "live"})
        while (told := stream.next("value").data)["value"] != "live":
            assert told["seq"] <= item["seq"]


def test_who_was_cut_off_goes_on_in_another_process(suite: Suite, api: Api) -> None:
    """Writes go on all the time; every number comes once, whatever process the reader is connected to."""
    device = api.device()
    path = f"/devices/{device['id']}/values/V1"
    stop = threading.Event()

    def write() -> None:
        n = 0
        with httpx.Client(base_url=api.http.base_url, headers=api.http.headers, timeout=10) as http:
            while not stop.is_set():
                n += 1
                try:
                    http.put(path, json={"value": n})
                except httpx.HTTPError:  # its process was killed too
                    continue

    writer = threading.Thread(target=write)
    writer.start()
    try:
        seqs: list[int] = []
        stream = Stream(api)
        stream.next("hello")
        for name in ("api-0", "api-1"):
            seqs += [stream.next("value").data["seq"] for _ in range(20)]
            suite.services[name].kill()
            stream.close()
            stream = reconnected(api, stream.last)
            assert stream.next().kind == "hello"
            seqs += [stream.next("value").data["seq"] for _ in range(20)]
            start_again(suite, name)
        stream.close()
    finally:
        stop.set()
        writer.join()
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))


def reconnected(api: Api, last: str) -> Stream:
    """The stream again, once the edge has found a process that lives."""
    for _ in range(20):
        stream = Stream(api, last=last)
        if stream.response.status_code == 200:
            return stream
        stream.close()
    raise AssertionError("no process serves the stream")
