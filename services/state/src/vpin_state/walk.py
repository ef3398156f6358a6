"""The hot way: the frames of one entry of a slab, from bytes to bytes.

Rules of this module: no object, call, await or log per frame beyond what is written here. A write of a pin that simply takes
its value (`Bank.fast` of boards, `Account.routes` of apps) is done in the loop; pings are answered in the loop; everything
else goes to `slow`, which runs the registered handler. Frames to others are collected for the whole entry and handed over
once, and always before a handler runs, so the order of frames is the order of messages.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from vpin_protocol import APP_HEADER, HARDWARE_HEADER, Command, Status

if TYPE_CHECKING:
    from vpin_state.device import Device
    from vpin_state.outbox import Outbox
    from vpin_state.session import Session

Slow = Callable[["Session", int, int, bytes], bool]
"""Handles a message; whether to stop behind it: the session is closing, or it is others' turn."""

_HARDWARE = int(Command.HARDWARE)
_PING = int(Command.PING)
_SYNC = int(Command.APP_SYNC)
_RESPONSE = int(Command.RESPONSE)
_OK = int(Status.OK)
_unpack_hardware = HARDWARE_HEADER.unpack_from
_unpack_app = APP_HEADER.unpack_from
_pack_hardware = HARDWARE_HEADER.pack
_pack_app = APP_HEADER.pack


def hardware_frames(session: Session, data: bytes, at: int, end: int, now: int, outbox: Outbox, slow: Slow) -> int:
    """Handle whole frames of a board, ``data[at:end]``; returns where it stopped. `now` in ms.

    That is behind `end` where the last frame is not whole: nothing is done about it, what is behind is not its own.
    """
    device = session.device
    assert device is not None
    fast = device.bank.fast
    prefix = device.prefix
    extra = len(prefix)
    dash = device.dash
    apps = dash.account.apps
    forwards = dash.active and bool(apps)
    live: list[bytes] = []
    push = live.append
    written = None
    while at < end:
        command, message_id, length = _unpack_hardware(data, at)
        at += 5
        if command == _HARDWARE:
            body = data[at : at + length]
            at += length
            cut = body.find(0, 3)
            if 0 < cut < length - 1 and at <= end and (pin := fast.get(body[:cut])) is not None:
                written = pin
                pin.value = body[cut + 1 :]
                pin.updated_at = now
                if not pin.dirty:
                    pin.mark()
                if forwards:
                    push(_pack_app(_HARDWARE, message_id, length + extra) + prefix + body)
                continue
        elif command == _PING:
            at += length
            outbox.put(session, _pack_hardware(_RESPONSE, message_id, _OK))
            continue
        elif command == _RESPONSE:  # no body follows, `length` is its status; boards' answers are ignored
            continue
        else:
            body = data[at : at + length]
            at += length
        if live:
            _to_apps(session, b"".join(live), outbox)
            live.clear()
        if written is not None:
            device.data_received_at = now
        if at > end:
            return at
        if slow(session, command, message_id, body):
            return end if session.closing else at
        forwards = dash.active and bool(apps)
    if live:
        _to_apps(session, b"".join(live), outbox)
    if written is not None:
        device.data_received_at = now
    return at


def _to_apps(session: Session, frames: bytes, outbox: Outbox) -> None:
    dash = session.dash
    assert dash is not None
    for app in session.account.apps:
        if not app.shared or app.hears(dash):
            outbox.put(app, frames)


def app_frames(session: Session, data: bytes, at: int, end: int, now: int, outbox: Outbox, slow: Slow) -> int:
    """Handle whole frames of an app, ``data[at:end]``; as with boards."""
    account = session.account
    routes = account.routes
    apps = account.apps
    shared = session.shared
    live: list[bytes] = []  # to the boards of `target`
    echo: list[bytes] = []  # to the other apps
    target: Device | None = None
    while at < end:
        command, message_id, length = _unpack_app(data, at)
        at += 7
        if command == _HARDWARE:
            body = data[at : at + length]
            at += length
            op = body.find(0) + 1
            cut = body.find(0, op + 3)
            if cut > 0 and at <= end and not shared and (route := routes.get(body[:cut])) is not None:
                pin, device = route
                if device.sessions and length - op <= device.body_limit:
                    pin.value = body[cut + 1 :]
                    pin.updated_at = now
                    if not pin.dirty:
                        pin.mark()
                    if device is not target:
                        if live:
                            _to_boards(target, b"".join(live), outbox)
                            live.clear()
                        if echo:
                            _to_other_apps(session, target, echo, outbox)
                        target = device
                        device.dash.updated_at = int(now)
                    live.append(_pack_hardware(_HARDWARE, message_id or 1, length - op) + body[op:])
                    if len(apps) > 1:
                        echo.append(_pack_app(_SYNC, message_id, length) + body)
                    continue
        elif command == _PING:
            at += length
            outbox.put(session, _pack_app(_RESPONSE, message_id, _OK))
            continue
        elif command == _RESPONSE:
            continue
        else:
            body = data[at : at + length]
            at += length
        if live:
            _to_boards(target, b"".join(live), outbox)
            live.clear()
        if echo:
            _to_other_apps(session, target, echo, outbox)
        if at > end:
            return at
        if slow(session, command, message_id, body):
            return end if session.closing else at
    if live:
        _to_boards(target, b"".join(live), outbox)
    if echo:
        _to_other_apps(session, target, echo, outbox)
    return at


def _to_boards(device: Device | None, frames: bytes, outbox: Outbox) -> None:
    assert device is not None
    for session in device.sessions:
        outbox.put(session, frames)


def _to_other_apps(session: Session, device: Device | None, echo: list[bytes], outbox: Outbox) -> None:
    assert device is not None
    frames = b"".join(echo)
    echo.clear()
    for app in session.account.apps:
        if app is not session and app.hears(device.dash):
            outbox.put(app, frames)
