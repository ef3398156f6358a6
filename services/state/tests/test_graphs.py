"""Live data of graphs, and what is asked of history (spec 02, 11.4–11.6; 05, 3)."""

from __future__ import annotations

import struct
import zlib

import pytest
from vpin_protocol import Command
from vpin_state.pins import parse_number
from vpin_state.series import merge

OK, ILLEGAL, NO_DATA = 200, 2, 17


def graph(widget_id=5, *pins, target=0, **fields):
    streams = [{"targetId": target, "pin": {"pin": p, "pinType": "VIRTUAL"}} for p in pins]
    return {"type": "ENHANCED_GRAPH", "id": widget_id, "width": 1, "height": 1, "dataStreams": streams, **fields}


@pytest.fixture
def drawn(world):
    """A graph of V1 and V2 of device 0."""
    assert world.app_status(Command.CREATE_WIDGET, 1, graph(5, 1, 2)) == OK
    return world


def write(world, *values, pin=1, board=None):
    for value in values:
        world.send(board or world.board, 20, "vw", pin, value)
        world.fx.now += 1
    world.clear()


def points(world, *parts):
    """The series of values in the answer, or a status."""
    body = world.app_status(Command.GET_GRAPH, *parts)
    if isinstance(body, int):
        return body
    data, at = zlib.decompress(body), 4
    assert struct.unpack_from(">i", data) == (1,)
    series = []
    while at < len(data):
        (count,) = struct.unpack_from(">i", data, at)
        found = [struct.unpack_from(">dq", data, at + 4 + 16 * i) for i in range(count)]
        assert [t for _, t in found] == sorted(t for _, t in found)
        series.append([value for value, _ in found])
        at += 4 + 16 * count
    return series


def test_numbers_that_a_board_wrote(drawn):
    write(drawn, "10", "20.5", "text", "1\x002", " 3", "0x10", "nan", "1e999", "-3")
    assert points(drawn, 1, 5, "LIVE") == points(drawn, "1-0", 5, "LIVE", 0) == [[10, 20.5, -3], []]


def test_the_last_sixty_and_no_more(drawn):
    write(drawn, *map(str, range(100)))
    assert points(drawn, 1, 5, "LIVE") == [list(range(40, 100)), []]
    assert points(drawn, 1, 5, "LIVE", 1) == NO_DATA


def test_writes_of_apps_and_of_other_pins_are_no_part_of_it(drawn):
    drawn.send(drawn.app, 20, "1-0", "vw", 1, "7")
    write(drawn, "8", pin=3)
    assert points(drawn, 1, 5, "LIVE") == NO_DATA
    assert drawn.device.bank.live is None


def test_only_a_graph_that_offers_live_has_it(world):
    world.app_status(Command.CREATE_WIDGET, 1, graph(5, 1, selectedPeriods=["DAY"]))
    world.app_status(Command.CREATE_WIDGET, 1, graph(6, 1))
    write(world, "1")
    assert points(world, 1, 6, "LIVE") == NO_DATA  # the first graph of a pin decides


def test_a_target_in_place_of_the_streams(drawn):
    second = drawn.add_device(1)
    write(drawn, "1")
    write(drawn, "2", board=drawn.board_session(second))
    assert points(drawn, "1-1", 5, "LIVE") == [[2], []]
    assert points(drawn, "1-7", 5, "LIVE") == NO_DATA


@pytest.mark.parametrize("stream_target", [-1, 0])
def test_a_graph_inside_tiles_has_data_and_the_question_names_the_device(world, stream_target):
    tiles = {"type": "DEVICE_TILES", "id": 9, "width": 1, "height": 1}
    assert world.app_status(Command.CREATE_WIDGET, 1, tiles) == OK
    second = world.board_session(world.add_device(1))
    template = {"id": 1, "mode": "PAGE", "deviceIds": [0, 1]}
    assert world.app_status(Command.CREATE_TILE_TEMPLATE, 1, 9, template) == OK
    assert world.app_status(Command.CREATE_WIDGET, 1, 9, 1, graph(5, 1, target=stream_target)) == OK
    write(world, "1")
    write(world, "2", board=second)
    assert points(world, "1-0", 5, "LIVE") == [[1]]
    assert points(world, "1-1", 5, "LIVE") == [[2]]
    assert world.app_status(Command.DELETE_GRAPH, "1-1", 5) == OK
    assert points(world, "1-1", 5, "LIVE") == NO_DATA
    assert points(world, "1-0", 5, "LIVE") == [[1]]


def test_a_tag_joins_its_devices(drawn):
    board = drawn.board_session(drawn.add_device(1))
    drawn.app_status(Command.CREATE_TAG, 1, {"id": 100_000, "name": "both", "deviceIds": [0, 1]})
    write(drawn, "1")
    drawn.fx.now -= 1
    write(drawn, "5", board=board)
    write(drawn, "9")
    assert points(drawn, "1-100000", 5, "LIVE") == [[3, 9], []]


@pytest.mark.parametrize(("function", "value"), [("MIN", 1), ("MAX", 9), ("SUM", 12), ("AVG", 4), ("MED", 2), ("?", 4)])
def test_functions_join_what_comes_at_one_moment(function, value):
    assert merge([[(7, 1.0)], [(7, 9.0)], [(7, 2.0)]], function) == [(7, value)]


def test_the_median_of_two_lies_between():
    assert merge([[(7, 1.0)], [(7, 4.0)]], "MED") == [(7, 2.5)]


@pytest.mark.parametrize(
    "parts", [(), (1,), (1, 5), (9, 5, "LIVE"), (1, 99, "LIVE"), (1, 7, "LIVE"), (1, 5, "WHEN"),
    (1, 5, "LIVE", -1), (1, 5, "LIVE", "x")]
)  # fmt: skip
def test_bad_questions(drawn, parts):
    drawn.app_status(Command.CREATE_WIDGET, 1, {"type": "TEXT", "id": 7, "width": 1, "height": 1})
    assert points(drawn, *parts) == ILLEGAL


def test_a_graph_without_streams_has_no_data(world):
    world.app_status(Command.CREATE_WIDGET, 1, graph(6))
    assert points(world, 1, 6, "LIVE") == NO_DATA


def test_deleting_the_data_of_a_graph_or_one_stream(drawn):
    write(drawn, "1")
    write(drawn, "2", pin=2)
    assert drawn.app_status(Command.DELETE_GRAPH, 1, 5, 1) == OK
    assert points(drawn, 1, 5, "LIVE") == [[1], []]
    assert drawn.app_status(Command.DELETE_GRAPH, 1, 5) == OK
    assert points(drawn, 1, 5, "LIVE") == NO_DATA
    assert drawn.app_status(Command.DELETE_GRAPH, "1-0", 5, 9) == OK
    for parts in [(), (1,), (1, 99), (9, 5)]:
        assert drawn.app_status(Command.DELETE_GRAPH, *parts) == ILLEGAL, parts


def test_deleting_the_data_of_devices_and_pins(drawn):
    board = drawn.board_session(drawn.add_device(1))
    write(drawn, "1")
    write(drawn, "2", pin=2)
    write(drawn, "3", board=board)
    assert drawn.app_status(Command.DELETE_DEVICE_DATA, "1-0", "v1", "d2") == OK
    assert points(drawn, 1, 5, "LIVE") == [[], [2]]
    assert points(drawn, "1-1", 5, "LIVE") == [[3], []]
    assert drawn.app_status(Command.DELETE_DEVICE_DATA, "1-*") == OK
    assert points(drawn, 1, 5, "LIVE") == points(drawn, "1-1", 5, "LIVE") == NO_DATA
    for parts in [(), ("1",), ("9-0",), ("1-x",), ("1-0", "x1"), ("1-0", "v"), ("1-0", "v999")]:
        assert drawn.app_status(Command.DELETE_DEVICE_DATA, *parts) == ILLEGAL, parts


def test_export_has_nothing_to_mail(drawn):
    assert drawn.app_status(Command.EXPORT_GRAPH, 1, 5) == NO_DATA
    for parts in [(), (1,), (1, 99), (9, 5)]:
        assert drawn.app_status(Command.EXPORT_GRAPH, *parts) == ILLEGAL, parts


@pytest.mark.parametrize(
    ("text", "number"),
    [(b"1.", 1), (b".5", 0.5), (b"-1e3", -1000), (b"+7", 7), (b"", None), (b"1e9999", None), (b"9" * 65, None), (b"1,5", None)],
)  # fmt: skip
def test_what_is_a_number(text, number):
    assert parse_number(text) == number
