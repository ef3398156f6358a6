"""Commands 60, 61, 28 and 76: what graphs show, and its deletion and export (spec 02, 11.4–11.6; 05, 3).

The last numbers of each pin are in memory (:mod:`vpin_state.live`), minutes, hours and days in the database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpin_messages.downloads import Csv, csv_name
from vpin_protocol import BodyError, Command, Status, parse_int32, parse_int64, parse_pin, split_all
from vpin_store.history import Step, finished
from vpin_store.rows import StreamKey

from vpin_state import live, lookup, mails
from vpin_state.errors import Refused
from vpin_state.handlers.mails import send
from vpin_state.handlers.notifications import find_widget
from vpin_state.pins import FIRST_SELECTOR, FIRST_TAG, KINDS
from vpin_state.places import members
from vpin_state.questions import GraphData, Recorded
from vpin_state.recording import pin_key
from vpin_state.registry import APP, handles
from vpin_state.series import Points, merge, pack

if TYPE_CHECKING:
    from vpin_state.effects import Effects
    from vpin_state.model import Dashboard, JsonObject
    from vpin_state.session import Session

PERIODS: dict[str, tuple[Step, int]] = {
    name: (step, int(count))
    for step, names in (
        (
            Step.MINUTE,
            "FIFTEEN_MINUTES 15 THIRTY_MINUTES 30 ONE_HOUR 60 THREE_HOURS 180 SIX_HOURS 360 TWELVE_HOURS 720 DAY 1440",
        ),
        (
            Step.HOUR,
            "THREE_DAYS 72 WEEK 168 TWO_WEEKS 336 MONTH 720 THREE_MONTHS 2160 ALL 8640"
            " N_DAY 24 TWO_DAYS 48 N_THREE_DAYS 72",
        ),
        (Step.DAY, "N_WEEK 7 N_TWO_WEEKS 14 N_MONTH 30 N_THREE_MONTHS 90 SIX_MONTHS 180 ONE_YEAR 360"),
    )
    for name, count in zip(names.split()[::2], names.split()[1::2], strict=True)
}
"""Length and number of the points of a period (spec 03, 15.3); LIVE is not among them."""


@handles(Command.GET_GRAPH, APP, also_shared=True)
def get_graph(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`dash[-target]·widget·period[·page]` → zlib of the points of each data stream of the graph."""
    fields = split_all(body)
    if len(fields) < 3:
        raise Refused(Status.ILLEGAL_COMMAND)
    dash, target, graph = _graph(session, fields)
    period = fields[2].decode(errors="replace")
    page = parse_int32(fields[3]) if len(fields) > 3 else 0
    if (period not in PERIODS and period != "LIVE") or page < 0:
        raise Refused(Status.ILLEGAL_COMMAND)
    streams: list[JsonObject] = graph.get("dataStreams", [])
    if period == "LIVE":
        found = [_live_points(dash, target, stream, page) for stream in streams]
        if not any(found):
            raise Refused(Status.NO_DATA)
        fx.answer(Command.GET_GRAPH, pack(dash.id, found))
        return

    def then(fx: Effects, answer: bytes | None) -> None:
        if answer is None:
            raise Refused(Status.NO_DATA)
        fx.answer(Command.GET_GRAPH, answer)

    step, count = PERIODS[period]
    asked = tuple(_recorded(dash, target, stream) for stream in streams)
    fx.ask(GraphData(dash.id, asked, step, finished(fx.now, step), count, count * page), then)


def _recorded(dash: Dashboard, target: int | None, stream: JsonObject | None) -> tuple[tuple[StreamKey, ...], str]:
    """The pins of a graph's stream, and the function that joins those of a tag ("" for one pin)."""
    key = pin_key(stream)
    if stream is None or key is None:
        return (), ""
    wanted = int(stream["targetId"]) if target is None else target
    pins = tuple(StreamKey(dash.account.id, dash.id, device.id, *key) for device in lookup.devices_of(dash, wanted))
    return pins, stream.get("functionType", "AVG") if _is_tag(wanted) else ""


def _live_points(dash: Dashboard, target: int | None, stream: JsonObject | None, page: int) -> Points:
    key = pin_key(stream)
    if stream is None or key is None:
        return []
    wanted = int(stream["targetId"]) if target is None else target
    series = [live.points_of(device.bank, *key) for device in lookup.devices_of(dash, wanted)]
    last = live.POINTS * (page + 1)
    series = [points[-last : len(points) - live.POINTS * page] for points in series if len(points) > live.POINTS * page]
    if not _is_tag(wanted):
        return series[0] if series else []
    return merge(series, stream.get("functionType", "AVG"))


def _is_tag(target: int) -> bool:
    return FIRST_TAG <= target < FIRST_SELECTOR


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
    """`dash[-target]·widget`: mails a link to the minutes of each stream that has some, those of a tag's or selector's
    devices in one file; answered as the mail is taken."""
    fields = split_all(body)
    if len(fields) < 2:
        raise Refused(Status.ILLEGAL_COMMAND)
    dash, target, graph = _graph(session, fields)
    now = fx.now
    end = finished(now, Step.MINUTE)
    wanted = [
        (int(stream["targetId"]) if target is None else target, *key)
        for stream in graph.get("dataStreams", ())
        if stream is not None and (key := pin_key(stream)) is not None
    ]
    pins = {
        each: [StreamKey(dash.account.id, dash.id, i, *each[1:]) for i in members_of(dash, each[0])] for each in wanted
    }

    def then(fx: Effects, found: tuple[bytes, frozenset[StreamKey]]) -> None:
        key, recorded = found
        row = dash.account.row
        links = [
            (
                f"{_name(dash, target)} {kind:c}{number}",
                fx.config.link(csv_name(key, row.email, Csv(row.id, dash.id, target, kind, number, now))),
            )
            for (target, kind, number), streams in pins.items()
            if not recorded.isdisjoint(streams)
        ]
        if not links:
            raise Refused(Status.NO_DATA)
        send(fx, session, mails.graph_data(row.email, dash.settings.get("name", ""), links))

    fx.ask(Recorded(tuple(dict.fromkeys(pin for each in pins.values() for pin in each)), Step.MINUTE, 0, end), then)


def members_of(dash: Dashboard, target: int) -> list[int]:
    """Ids of the devices that a target covers: of a selector all that may be chosen."""
    ids = members(dash, target) if target >= FIRST_TAG else [target]
    return [i for i in dict.fromkeys(ids) if i in dash.devices]


def _name(dash: Dashboard, target: int) -> str:
    if _is_tag(target):
        return (lookup.tag(dash, target) or {}).get("name", "")
    devices = members_of(dash, target)
    return (dash.devices[devices[0]].name if len(devices) == 1 else "") or mails.NEW_DEVICE


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
                forget(dash, device.id, key)
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
    for device_id in list(dash.devices) if raw_device == b"*" else [parse_int32(raw_device)]:
        for key in pins or [None]:
            forget(dash, device_id, key)
    fx.reply(Status.OK)


def forget(dash: Dashboard, device_id: int, key: tuple[int, int] | None) -> None:
    """Delete all history of a device, or that of one of its pins (kind, number)."""
    dash.account.forget_history(dash.id, device_id, *(key or ()))
    device = dash.devices.get(device_id)
    if device is not None:
        for known in [key] if key else list(device.bank.live or ()):
            live.forget(device.bank, *known)


def _pin(raw: bytes) -> tuple[int, int]:
    """(kind, number) of `v1`, `d2`, `a3`."""
    kind = KINDS.get(raw[0]) if raw else None
    if kind is None:
        raise BodyError("a pin is v, d or a and a number")
    return kind, parse_pin(raw[1:])
