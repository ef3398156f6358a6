"""Boards and apps come and go (spec 01, 3.1, 3.2, 3.4; 02, 3.2, 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from vpin_protocol import Command, Status

from vpin_state import events
from vpin_state.errors import Refused
from vpin_state.handlers.notifications import find_widget, push_text
from vpin_state.registry import APP, HARDWARE, handles, task
from vpin_state.values import SYNC_ID, device_sync_on_connect, pin_modes
from vpin_state.watching import show_status

if TYPE_CHECKING:
    from vpin_messages.entry import Opening

    from vpin_state.device import Device
    from vpin_state.effects import Connection, Effects
    from vpin_state.model import Account
    from vpin_state.session import Session

SERVER_ID = 7777
PIN_MODE_ID = 1
LAST_OUTDATED = "1.1.1"
LEFT_BEHIND = "presence.left"
"""Task: see :func:`settle_left_behind`."""
NOTICE = "offlineNotice"
"""Key in a device's body: when (ms) the apps will be told that it is offline. It survives a change of owner."""

_json = msgspec.json.Encoder().encode


def device_connected(fx: Effects, session: Session, opening: Opening) -> None:
    """Answer a board's log-in: 200, pin modes, the marked datastreams of a template; then tell the apps."""
    device = session.device
    assert device is not None
    fx.reply(Status.OK)
    if session.mqtt:
        _take_over(fx, session, device)
    else:
        _greet(fx, session, device)
    fx.to_apps(device.dash, Command.HARDWARE_CONNECTED, fx.message_id, b"%d-%d" % (device.dash.id, device.id))
    device.connect_time = fx.now
    device.first_connect_time = device.first_connect_time or fx.now
    device.body.pop(NOTICE, None)
    if fx.config.store_ip:
        device.last_logged_ip = opening.address
    device.touched()
    if len(device.sessions) == 1:
        fx.emit("device.online", _event(device, fx.now))
        show_status(device, fx.now)
        events.came_online(fx, device)


def _greet(fx: Effects, session: Session, device: Device) -> None:
    """Pin modes, then the marked datastreams of a template."""
    if device.dash.active and (modes := pin_modes(device)) is not None:
        fx.send(session, Command.HARDWARE, PIN_MODE_ID, modes)
    if fx.config.resend_on_connect:
        for body in device_sync_on_connect(device, fx.now):
            fx.send(session, Command.HARDWARE, SYNC_ID, body)


def _take_over(fx: Effects, session: Session, device: Device) -> None:
    """By MQTT a device has one connection, the newest (spec 09, 3). Those of other transports stay."""
    for other in device.sessions:
        if other.mqtt and other is not session:
            fx.take_over(other)


@handles(Command.HARDWARE_LOGIN, HARDWARE)
@handles(Command.LOGIN, HARDWARE)
def log_in_again(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """A log-in on a logged-in connection, with whatever token: 4, and nothing changes (spec 01, 3.1)."""
    raise Refused(Status.ALREADY_REGISTERED)


def device_gone(fx: Effects, device: Device) -> None:
    """One connection of a board is closed; with the last one the device is offline (spec 01, 3.2; 05, 1.2.5)."""
    if device.sessions:
        return
    device.disconnect_time = fx.now
    device.touched()
    if not _exists(device):
        return
    fx.emit("device.offline", _event(device, fx.now))
    show_status(device, fx.now)
    events.went_offline(fx, device)
    if not device.dash.active:
        return
    widget = find_widget(device.dash, "NOTIFICATION")
    pushes = widget is not None and widget.json.get("notifyWhenOffline", False)
    period = widget.json.get("notifyWhenOfflineIgnorePeriod", 0) if widget is not None and pushes else 0
    if period <= 0:
        _tell_offline(fx, device, push=pushes)
        return
    device.body[NOTICE] = fx.now + period
    _tell_later(fx, device, fx.now + period)


def _tell_later(fx: Effects, device: Device, at: int) -> None:
    """Tell at `at` (ms) that the board is offline, if it is still so then. The push is for the last time it went."""

    def later(fx: Effects) -> None:
        if not _exists(device) or NOTICE not in device.body:
            return
        is_last = device.body[NOTICE] == at
        if is_last:
            del device.body[NOTICE]
            device.touched()
        if device.dash.active and not device.online:
            _tell_offline(fx, device, push=is_last)

    fx.schedule(at, device.dash.account, later)


@task(LEFT_BEHIND)
def settle_left_behind(fx: Effects, account: Account, connection: Connection, fields: list[bytes]) -> None:
    """Another owner had the account, and gateways have had time to announce their sessions.

    A board that is online by the tables and has no session has gone while nobody looked. A notice that waited is told at its
    time, or now if that is over.
    """
    for dash in account.dashboards.values():
        for device in dash.devices.values():
            if device.online:
                continue
            if device.connect_time > device.disconnect_time:
                device_gone(fx, device)
                continue
            if NOTICE in device.body:
                _tell_later(fx, device, device.body[NOTICE])
            if events.AWAY in device.body:
                events.wait_for_return(fx, device)


def _tell_offline(fx: Effects, device: Device, *, push: bool) -> None:
    """Message 71 to the apps unless notifications are off; the push goes out all the same."""
    dash = device.dash
    if push:
        text = fx.config.offline_text.replace("{DEVICE_NAME}", device.name or "device")
        push_text(fx, dash, text)
    if not dash.settings.get("isNotificationsOff"):
        fx.to_apps(dash, Command.DEVICE_OFFLINE, 0, b"%d-%d" % (dash.id, device.id))


def _exists(device: Device) -> bool:
    dash = device.dash
    return dash.account.dashboards.get(dash.id) is dash and dash.devices.get(device.id) is device


def app_connected(fx: Effects, session: Session, opening: Opening) -> None:
    """Answer an app's log-in and tell the boards that want to know (spec 02, 3.2)."""
    fx.reply(Status.OK)
    account = session.account
    if not session.shared:
        account.row = account.row._replace(
            last_login_at=fx.now, last_login_ip=opening.address if fx.config.store_ip else ""
        )
        account.mark_quietly().account = True
        _tell_boards(fx, account, b"acon")
    if opening.version == LAST_OUTDATED:
        text = "This version of the app is outdated. Please update it: some features of your projects may not work."
        fx.answer(Command.OUTDATED_APP, text.encode())


def app_gone(fx: Effects, session: Session) -> None:
    """An app session is closed, a shared one as well."""
    _tell_boards(fx, session.account, b"adis")


@handles(Command.LOGOUT, APP, also_shared=True)
def logout(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`[uid]`: forget the push token of that phone, or all; answer, then close (spec 02, 11).

    A guest makes the server forget its own phone in the shared project, nobody else's.
    """
    uid = body.decode(errors="replace")
    dashboards = list(session.account.dashboards.values())
    if session.shared:
        uid = uid or session.uid
        dashboards = [session.dash] if session.dash is not None and uid else []
    for dash in dashboards:
        for widget in dash.widgets:
            if widget.type == "NOTIFICATION" and _forget_push(widget.json, uid):
                widget.changed()
    fx.reply(Status.OK)
    fx.close(session)


def _forget_push(json: dict[str, object], uid: str) -> bool:
    changed = False
    for key in ("androidTokens", "iOSTokens"):
        tokens = json.get(key)
        if isinstance(tokens, dict) and tokens and (not uid or uid in tokens):
            json[key] = {k: v for k, v in tokens.items() if uid and k != uid}
            changed = True
    return changed


def _tell_boards(fx: Effects, account: Account, word: bytes) -> None:
    for dash in account.dashboards.values():
        if dash.active and dash.settings.get("isAppConnectedOn"):
            for device in dash.devices.values():
                fx.to_device(device, SERVER_ID, word, command=Command.INTERNAL)


def idle_seconds(heartbeat: int) -> int:
    """Time-out of a board with that heartbeat, both in seconds: ceil(heartbeat × 2.3) (spec 01, 3.5)."""
    return -(-heartbeat * 23 // 10)


def _event(device: Device, now: int) -> bytes:
    return _json(
        {"account": device.dash.account.id, "dash": device.dash.id, "device": device.id, "name": device.name, "at": now}
    )
