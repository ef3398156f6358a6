"""Commands 60, 61, 28 and 76: what graphs show, and its deletion and export (spec 02, 11.4–11.6; 05, 3).

So far there are the last numbers of each pin (:mod:`vpin_state.live`) and no history: other periods have no data.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

from vpin_protocol import BodyError, Command, Status, parse_int32, parse_int64, parse_pin, split_all

from vpin_state import live, lookup
from vpin_state.errors import Refused
from vpin_state.handlers.notifications import find_widget
from vpin_state.kinds_table import ENUMS
from vpin_state.pins import FIRST_TAG, KINDS
from vpin_state.registry import APP, handles
from vpin_state.routes import pin_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vpin_state.effects import Effects
    from vpin_state.model import Dashboard, JsonObject
    from vpin_state.session import Session

Points = list[tuple[int, float]]
"""(ms, value), oldest first."""

PERIODS = frozenset(ENUMS["GraphPeriod"].split())
_head = struct.Struct(">i").pack
_point = struct.Struct(">dq").pack


@handles(Command.GET_GRAPH, APP, also_shared=True)
def get_graph(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`dash[-target]·widget·period[·page]` → zlib of the points of each data stream of the graph."""
    fields = split_all(body)
    if len(fields) < 3:
        raise Refused(Status.ILLEGAL_COMMAND)
    dash, target, graph = _graph(session, fields)
    period = fields[2].decode(errors="replace")
    if period not in PERIODS:
        raise Refused(Status.ILLEGAL_COMMAND)
    page = parse_int32(fields[3]) if len(fields) > 3 else 0
    if page < 0:
        raise Refused(Status.ILLEGAL_COMMAND)
    streams = [_points(dash, target, stream, period, page) for stream in graph.get("dataStreams", ())]
    if not any(streams):
        raise Refused(Status.NO_DATA)
    fx.answer(Command.GET_GRAPH, pack(dash.id, streams))


def pack(dash_id: int, streams: list[Points]) -> bytes:
    """The answer's body (spec 05, 3.5)."""
    parts = [_head(dash_id)]
    for points in streams:
        parts.append(_head(len(points)))
        parts += [_point(value, at) for at, value in points]
    return zlib.compress(b"".join(parts))


def _points(dash: Dashboard, target: int | None, stream: JsonObject | None, period: str, page: int) -> Points:
    key = pin_key(stream)
    if stream is None or key is None or period != "LIVE":
        return []
    target = int(stream["targetId"]) if target is None else target
    devices = lookup.devices_of(dash, target)
    series = [live.points_of(device.bank, *key) for device in devices]
    last = live.POINTS * (page + 1)
    series = [points[-last : len(points) - live.POINTS * page] for points in series if len(points) > live.POINTS * page]
    if not FIRST_TAG <= target < 2 * FIRST_TAG:
        return series[0] if series else []
    return merge(series, stream.get("functionType", "AVG"))


def merge(series: Iterable[Points], function: str) -> Points:
    """Points of several devices as one series: those of one moment joined by MIN, MAX, AVG, SUM or MED."""
    moments: dict[int, list[float]] = {}
    for points in series:
        for at, value in points:
            moments.setdefault(at, []).append(value)
    return [(at, _join(moments[at], function)) for at in sorted(moments)]


def _join(values: list[float], function: str) -> float:
    match function:
        case "MIN":
            return min(values)
        case "MAX":
            return max(values)
        case "SUM":
            return sum(values)
        case "MED":
            middle = sorted(values)
            half = len(middle) // 2
            return middle[half] if len(middle) % 2 else (middle[half - 1] + middle[half]) / 2
        case _:
            return sum(values) / len(values)


def _graph(session: Session, fields: list[bytes]) -> tuple[Dashboard, int | None, JsonObject]:
    """(dashboard, target of the question, JSON of the graph) of `dash[-target]·widget·…`; no graph: Refused(2)."""
    raw_dash, dashed, raw_target = fields[0].partition(b"-")
    dash = lookup.shared_dash(session, raw_dash)
    target = parse_int32(raw_target) if dashed else None
    json = lookup.widget_anywhere(dash, parse_int64(fields[1]))[2]
    if json["type"] != "ENHANCED_GRAPH":
        raise Refused(Status.ILLEGAL_COMMAND)
    return dash, target, json


@handles(Command.EXPORT_GRAPH, APP)
def export_graph(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`dash[-target]·widget`: mails links to the history of the graph; none is kept so far."""
    fields = split_all(body)
    if len(fields) < 2:
        raise Refused(Status.ILLEGAL_COMMAND)
    _graph(session, fields)
    raise Refused(Status.NO_DATA)


@handles(Command.DELETE_GRAPH, APP)
def delete_graph(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`dash[-target]·widget[·stream]`: forgets the points of one data stream or, for an index beyond the list, of all."""
    fields = split_all(body)
    if len(fields) < 2:
        raise Refused(Status.ILLEGAL_COMMAND)
    dash, target, graph = _graph(session, fields)
    streams: list[JsonObject | None] = graph.get("dataStreams", [])
    index = parse_int32(fields[2]) if len(fields) > 2 else -1
    for stream in [streams[index]] if 0 <= index < len(streams) else streams:
        key = pin_key(stream)
        if stream is not None and key is not None:
            for device in lookup.devices_of(dash, stream["targetId"] if target is None else target):
                live.forget(device.bank, *key)
    fx.reply(Status.OK)


@handles(Command.DELETE_DEVICE_DATA, APP, also_shared=True)
def delete_data(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`dash-device`, `dash-*`, `dash-device·v1·d2…`: forgets points. Guests need a REPORT widget that allows it."""
    where, *raw_pins = split_all(body) or [b""]
    raw_dash, dashed, raw_device = where.partition(b"-")
    dash = lookup.shared_dash(session, raw_dash)
    if session.shared:
        report = find_widget(dash, "REPORT")
        if report is None:
            raise Refused(Status.ILLEGAL_COMMAND)
        if not report.json["allowEndUserToDeleteDataOn"]:
            raise Refused(Status.NOT_ALLOWED)
    if not dashed:
        raise Refused(Status.ILLEGAL_COMMAND)
    pins = [_pin(raw) for raw in raw_pins]
    wanted = None if raw_device == b"*" else parse_int32(raw_device)
    for device in dash.devices.values():
        if wanted is None or device.id == wanted:
            for key in pins or list(device.bank.live or ()):
                live.forget(device.bank, *key)
    fx.reply(Status.OK)


def _pin(raw: bytes) -> tuple[int, int]:
    """(kind, number) of `v1`, `d2`, `a3`."""
    kind = KINDS.get(raw[0]) if raw else None
    if kind is None:
        raise BodyError("a pin is v, d or a and a number")
    return kind, parse_pin(raw[1:])
