"""Minutes, hours and days of graphs: answers, deletion, export (spec 05, 3.5 to 3.7)."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest
from test_graphs import drawn, points  # noqa: F401  a fixture
from vpin_messages.downloads import Csv, read_csv_name
from vpin_protocol import Command
from vpin_state.handlers.graphs import PERIODS
from vpin_state.kinds_table import ENUMS
from vpin_store.history import Step
from vpin_store.rows import StreamKey

OK, ILLEGAL, NOT_ALLOWED, NO_DATA = 200, 2, 6, 17
MINUTE = 60_000


def stream(pin=1, device=0):
    return StreamKey(1, 1, device, ord("v"), pin)


@pytest.mark.parametrize("period", ["FIFTEEN_MINUTES", "DAY", "N_MONTH", "ONE_YEAR"])
def test_the_running_period_is_not_shown(drawn, period):  # noqa: F811
    drawn.past.record(stream(), drawn.fx.now, 1.0)
    assert points(drawn, 1, 5, period) == NO_DATA


@pytest.mark.parametrize(
    ("period", "step", "count"),
    [
        ("FIFTEEN_MINUTES", Step.MINUTE, 15),
        ("DAY", Step.MINUTE, 1440),
        ("WEEK", Step.HOUR, 168),
        ("N_WEEK", Step.DAY, 7),
    ],
)
def test_a_period_is_its_last_points_and_pages_go_back(drawn, period, step, count):  # noqa: F811
    for age in range(1, 2 * count + 3):
        drawn.past.record(stream(), drawn.fx.now - age * step.ms, age)
        drawn.past.record(stream(), drawn.fx.now - age * step.ms, age + 2)
    assert points(drawn, 1, 5, period) == [list(range(count + 1, 1, -1)), []]
    assert points(drawn, 1, 5, period, 1) == [list(range(2 * count + 1, count + 1, -1)), []]
    assert points(drawn, 1, 5, period, 2) == [[2 * count + 3, 2 * count + 2], []]
    assert points(drawn, 1, 5, period, 3) == NO_DATA


def test_every_period_is_known():
    assert PERIODS.keys() | {"LIVE"} == set(ENUMS["GraphPeriod"].split())


def test_a_tag_joins_the_history_of_its_devices(drawn):  # noqa: F811
    drawn.add_device(1)
    drawn.app_status(Command.CREATE_TAG, 1, {"id": 100_000, "name": "both", "deviceIds": [0, 1]})
    earlier = drawn.fx.now - 3 * MINUTE
    drawn.past.record(stream(), earlier, 1.0)
    drawn.past.record(stream(device=1), earlier, 5.0)
    drawn.past.record(stream(device=1), earlier + MINUTE, 7.0)
    assert points(drawn, "1-100000", 5, "ONE_HOUR") == [[3, 7], []]
    assert points(drawn, "1-1", 5, "ONE_HOUR") == [[5, 7], []]


def test_guests_see_the_history_of_the_project_they_share(drawn):  # noqa: F811
    drawn.past.record(stream(), drawn.fx.now - MINUTE, 4.0)
    drawn.dash.settings["isShared"] = True
    guest = drawn.app_session(shared=drawn.dash)
    assert isinstance(drawn.ask(guest, Command.GET_GRAPH, 1, 5, "ONE_HOUR"), bytes)
    assert drawn.ask(guest, Command.DELETE_DEVICE_DATA, "1-0") == ILLEGAL
    for command in (Command.EXPORT_GRAPH, Command.DELETE_GRAPH):
        assert drawn.ask(guest, command, 1, 5) == NOT_ALLOWED


def test_deleted_history_is_gone_from_the_database(drawn):  # noqa: F811
    drawn.add_device(1)
    for pin in (1, 2):
        for device in (0, 1):
            drawn.past.record(stream(pin, device), drawn.fx.now - MINUTE, 1.0)
    assert drawn.app_status(Command.DELETE_GRAPH, 1, 5, 1) == OK
    assert points(drawn, 1, 5, "ONE_HOUR") == [[1], []]
    assert drawn.app_status(Command.DELETE_DEVICE_DATA, "1-1", "v1") == OK
    assert points(drawn, "1-1", 5, "ONE_HOUR") == [[], [1]]
    assert drawn.app_status(Command.DELETE_DEVICE_DATA, "1-*") == OK
    assert points(drawn, "1-1", 5, "ONE_HOUR") == points(drawn, 1, 5, "ONE_HOUR") == NO_DATA
    assert drawn.past.kept == {}


def test_an_export_mails_a_link_to_each_stream_with_data(drawn):  # noqa: F811
    drawn.past.record(stream(2), drawn.fx.now - MINUTE, 1.0)
    drawn.send(drawn.app, Command.EXPORT_GRAPH, 1, 5)
    (mail,) = drawn.fx.jobs
    assert (mail.to, mail.subject) == (["a@example.com"], "History graph data for project test")
    assert mail.answer is not None
    assert mail.answer.message_id == 5
    (link,) = re.findall(r'href="([^"]+)"[^>]*>board 0 v2</a>', mail.html)
    name = unquote(link.removeprefix("http://localhost:8080/"))
    assert read_csv_name(b"k" * 32, name) == Csv(1, 1, 0, ord("v"), 2, drawn.fx.now)


def test_an_export_of_a_selector_covers_all_its_devices(drawn):  # noqa: F811
    drawn.add_device(1)
    selector = {"type": "DEVICE_SELECTOR", "id": 200_000, "width": 1, "height": 1, "deviceIds": [0, 1], "value": 0}
    assert drawn.app_status(Command.CREATE_WIDGET, 1, selector) == OK
    drawn.past.record(stream(1, 1), drawn.fx.now - MINUTE, 1.0)
    assert points(drawn, "1-200000", 5, "ONE_HOUR") == NO_DATA
    drawn.send(drawn.app, Command.EXPORT_GRAPH, "1-200000", 5)
    assert len(drawn.fx.jobs) == 1
