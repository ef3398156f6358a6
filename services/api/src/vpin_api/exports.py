"""What is in exported files: lines made from the database, chunk by chunk (spec 04, 1.5 and 2.2; 05, 3.6 and 4.3)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, tzinfo

from vpin_messages.downloads import DeviceData, Report, Series
from vpin_store import Store
from vpin_store.history import Step
from vpin_store.rows import StreamKey

from vpin_api import csvs

EVENTS_AT_ONCE = 500
NEWEST = (1 << 63) - 1
_BOM = b"\xfe\xff"

Points = list[tuple[int, float]]


async def csv_lines(store: Store, streams: list[StreamKey], end: int, limit: int) -> AsyncIterator[str]:
    """`value,ms,device` of the last `limit` minutes of each pin."""
    for stream in streams:
        async for points in series(store, stream, Step.MINUTE, 0, end, "avg", limit):
            yield "".join(f"{csvs.number_text(value)},{at},{stream.device_id}\n" for at, value in points)


async def series(
    store: Store, stream: StreamKey, step: Step | None, start: int, end: int, aggregate: str, limit: int = 0
) -> AsyncIterator[Points]:
    """(ms, number) of ``start <= at < end``, oldest first; without a step as they came. `limit`: the newest so many, 0: all."""
    if step is None:
        if limit and (last := await store.history.points(stream, start, end, limit)):
            yield last
        elif not limit:
            async for points in store.history.every_point(stream, start, end):
                yield points
        return
    if limit and (first := await store.history.rollups(stream, step, start, end, 1, limit - 1)):
        start = first[0].at
    async for rollups in store.history.every_rollup(stream, step, start, end):
        yield [(rollup.at, csvs.aggregate(rollup, aggregate)) for rollup in rollups]


async def report_entries(store: Store, account: int, report: Report) -> AsyncIterator[tuple[str, AsyncIterator[bytes]]]:
    """The files of a run, by its output format: UTF-16 with a byte order mark."""
    place = csvs.zone(report.zone) or UTC
    names = _Names()
    if report.output == "MERGED_CSV":
        yield (
            names.new(csvs.name_part(report.name) or "Report"),
            _report_file(store, account, report, place, report.series),
        )
    elif report.output == "CSV_FILE_PER_DEVICE":
        devices = {each.device: each.device_name for each in reversed(report.series)}
        for device in dict.fromkeys(each.device for each in report.series):
            wanted = [each for each in report.series if each.device == device]
            name = f"{csvs.name_part(devices[device])}_{device}"
            yield names.new(name), _report_file(store, account, report, place, wanted)
    else:
        for each in report.series:
            stream = StreamKey(account, report.dash, each.device, each.kind, each.pin)
            if not await store.history.rollups(stream, Step(report.step), report.start, report.end, 1):
                continue
            label = csvs.label_part(each.label) or _pin(each)
            name = f"{csvs.name_part(each.device_name)}_{each.device}_{label}"
            yield names.new(name), _report_file(store, account, report, place, [each])


async def _report_file(
    store: Store, account: int, report: Report, place: tzinfo, wanted: list[Series]
) -> AsyncIterator[bytes]:
    yield _BOM
    for each in wanted:
        middle = ""
        label = csvs.quoted(each.label[: csvs.PART_MAX] or _pin(each))
        if report.output in ("CSV_FILE_PER_DEVICE", "MERGED_CSV"):
            middle = f",{label}"
        if report.output == "MERGED_CSV":
            middle += f",{csvs.quoted(each.device_name or str(each.device))}"
        stream = StreamKey(account, report.dash, each.device, each.kind, each.pin)
        async for points in series(store, stream, Step(report.step), report.start, report.end, "avg", report.points):
            text = "".join(
                f"{csvs.moment(at, report.format, place)}{middle},{csvs.number_text(value)}\n" for at, value in points
            )
            yield text.encode("utf-16-be", "surrogatepass")


async def device_entries(
    store: Store, account: int, data: DeviceData
) -> AsyncIterator[tuple[str, AsyncIterator[bytes]]]:
    """A file for each pin that has data, `value,time` in UTF-8, and one of events where they are asked for."""
    names = _Names()
    device = (account, data.dash, data.device)
    for each in await device_series(store, account, data):
        if (found := await step_of(store, account, data, each)) is not None:
            name = csvs.name_part(each.label) or _pin(each)
            yield names.new(name), _device_file(store, account, data, each, found[0])
    if data.events and await store.events.find(device, data.start, data.end, "", NEWEST, 1):
        yield names.new("events"), _events_file(store, device, data)


async def device_series(store: Store, account: int, data: DeviceData) -> list[Series]:
    """The pins that are asked for: by name, or all that were ever recorded."""
    if data.series is not None:
        return data.series
    streams = await store.history.streams((account, data.dash, data.device))
    return [Series(data.device, "", stream.pin_type, stream.pin, "") for stream in streams]


async def step_of(store: Store, account: int, data: DeviceData, each: Series) -> tuple[Step | None] | None:
    """(length of the periods, None: points as they came), or None where the pin has no data.

    Points as they came are kept of few pins: of the others their minutes take the place.
    """
    stream = StreamKey(account, data.dash, data.device, each.kind, each.pin)
    if data.step == "raw" and await store.history.points(stream, data.start, data.end, 1):
        return (None,)
    step = Step.MINUTE if data.step == "raw" else Step(data.step)
    return (step,) if await store.history.rollups(stream, step, data.start, data.end, 1) else None


async def _device_file(
    store: Store, account: int, data: DeviceData, each: Series, step: Step | None
) -> AsyncIterator[bytes]:
    place = csvs.zone(data.zone) or UTC
    stream = StreamKey(account, data.dash, data.device, each.kind, each.pin)
    async for points in series(store, stream, step, data.start, data.end, data.aggregate):
        text = "".join(f"{csvs.number_text(value)},{csvs.moment(at, data.format, place)}\n" for at, value in points)
        yield text.encode()


async def _events_file(store: Store, device: tuple[int, int, int], data: DeviceData) -> AsyncIterator[bytes]:
    """`time,code,severity,description`, newest first."""
    place = csvs.zone(data.zone) or UTC
    before = NEWEST
    while rows := await store.events.find(device, data.start, data.end, "", before, EVENTS_AT_ONCE):
        lines = (
            ",".join(
                (csvs.moment(row.at, data.format, place), *map(csvs.quoted, (row.code, row.severity, row.description)))
            )
            for row in rows
        )
        yield "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass")
        before = rows[-1].id


class _Names:
    """Names of entries of one archive, each once."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def new(self, name: str) -> str:
        found, number = f"{name}.csv", 1
        while found in self._taken:
            number += 1
            found = f"{name}_{number}.csv"
        self._taken.add(found)
        return found


def _pin(each: Series) -> str:
    return f"{each.kind:c}{each.pin}"
