"""Command 17 of boards: hardware info, clock, meta data (spec 01, 3.3–3.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vpin_protocol import NUL, BodyError, Command, Status, parse_int32, split_all

from vpin_state import clocks
from vpin_state.errors import Refused
from vpin_state.firmware import offer
from vpin_state.handlers.notifications import find_widget
from vpin_state.handlers.presence import SERVER_ID, idle_seconds
from vpin_state.registry import HARDWARE, handles
from vpin_state.templates import attach_itself
from vpin_state.values import SYNC_ID, device_sync_on_connect

if TYPE_CHECKING:
    from vpin_state.device import Device
    from vpin_state.effects import Effects
    from vpin_state.session import Session

DEFAULT_BUFFER = 250
DEVICE_NAME = "Device Name"
"""The metadata field that every device has."""

INFO_KEYS = {
    "ver": "blynkVersion",
    "blynk": "blynkVersion",
    "fw": "version",
    "mcu": "version",
    "ncp": "ncpVersion",
    "fw-type": "fwType",
    "build": "build",
    "tmpl": "templateId",
    "dev": "boardType",
    "cpu": "cpuType",
    "con": "connectionType",
}
"""Key on the wire → key of hardwareInfo, for texts."""
INFO_WORDS = {key.encode() for key in INFO_KEYS} | {b"h-beat", b"buff-in"}
NO_INFO = frozenset((b"acon", b"adis", b"ota", b"vfs", b"dbg"))
"""Words that begin something else, whatever stands behind them."""


@handles(Command.INTERNAL, HARDWARE)
def internal(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """A request by its first word, or hardware info when one of its keys is known, the first or not; else it is ignored."""
    fields = split_all(body)
    if not fields or not fields[0]:
        raise Refused(Status.ILLEGAL_COMMAND)
    assert session.device is not None
    if fields[0] == b"rtc":
        _answer_rtc(fx, session.device)
    elif fields[0] == b"utc":
        _answer_utc(fx, session.device, fields[1] if len(fields) > 1 else b"")
    elif fields[0] == b"meta":
        _meta(fx, session.device, body.split(NUL))
    elif fields[0] not in NO_INFO and not INFO_WORDS.isdisjoint(fields[::2]):
        _take_info(fx, session, session.device, fields)


def _take_info(fx: Effects, session: Session, device: Device, fields: list[bytes]) -> None:
    """Replace the hardware info; heartbeat and buffer size apply from now on."""
    pairs = {fields[i]: fields[i + 1].decode(errors="replace") for i in range(0, len(fields) - 1, 2)}
    info: dict[str, Any] = {}
    for word, key in INFO_KEYS.items():
        if value := pairs.get(word.encode()):
            info[key] = value
    heartbeat = _number(pairs.get(b"h-beat"), missing=0, broken=-1)
    buffer = _number(pairs.get(b"buff-in"), missing=DEFAULT_BUFFER, broken=DEFAULT_BUFFER)
    info["heartbeatInterval"] = heartbeat
    info["buffIn"] = buffer if buffer > 0 else DEFAULT_BUFFER
    device.body["hardwareInfo"] = info
    device.tell_buffer()
    device.touched()
    device.dash.updated_at = fx.now
    if heartbeat > 0 and fx.config.hardware_idle_timeout:
        fx.idle(session, idle_seconds(heartbeat))
    attached = attach_itself(device, info.get("templateId", ""))
    if build := info.get("build"):
        offer(fx, session, device, build)
    fx.reply(Status.OK)
    if attached and fx.config.resend_on_connect:
        for body in device_sync_on_connect(device, fx.now):
            fx.send(session, Command.HARDWARE, SYNC_ID, body)


def _number(text: str | None, *, missing: int, broken: int) -> int:
    if text is None:
        return missing
    try:
        return parse_int32(text.encode())
    except BodyError:
        return broken


def _answer_rtc(fx: Effects, device: Device) -> None:
    """Local time as if it were UTC, in the zone of the first RTC widget; no such widget: nothing."""
    widget = find_widget(device.dash, "RTC")
    if widget is None and not device.template_id:
        return
    seconds = clocks.local_seconds(fx.now, clocks.zone(widget.json.get("tzName") if widget else None))
    fx.answer(Command.INTERNAL, b"rtc\0%d" % seconds)


def _answer_utc(fx: Effects, device: Device, word: bytes) -> None:
    """`utc·word`: the clock in the forms that newer firmware asks for (spec 01, 3.4)."""
    widget = find_widget(device.dash, "RTC")
    answer = clocks.answer(
        word.decode(errors="replace"), fx.now, (widget.json.get("tzName") if widget else None) or "UTC"
    )
    if answer is not None:
        fx.answer(Command.INTERNAL, b"\0".join((b"utc", word, *(part.encode() for part in answer))))


def _meta(fx: Effects, device: Device, fields: list[bytes]) -> None:
    """`meta·get·name`, `meta·set·name·value`: the device's metadata fields."""
    metadata: dict[str, str] = device.body.get("metadata") or {}
    if len(fields) >= 3 and fields[1] == b"get":
        name = fields[2].decode(errors="replace")
        value = metadata.get(name, {DEVICE_NAME: device.name, "Auth Token": device.token}.get(name))
        if value is not None:
            fx.answer(Command.INTERNAL, b"meta\0" + fields[2] + b"\0" + value.encode())
    elif fields[1:2] == [b"set"]:
        name = fields[2].decode(errors="replace") if len(fields) >= 4 else None
        if name is None or name not in metadata:
            raise Refused(Status.ILLEGAL_COMMAND)
        device.body["metadata"] = {**metadata, name: fields[3].decode(errors="replace")}
        device.changed()
        fx.reply(Status.OK)


def tell_meta(fx: Effects, device: Device, name: str, value: str) -> None:
    """A field was changed from elsewhere: tell the board as if it had asked (spec 04, 2.2)."""
    fx.to_device(device, SERVER_ID, f"meta\0{name}\0{value}".encode(errors="replace"), command=Command.INTERNAL)
