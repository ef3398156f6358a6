"""Sessions come and go: opening with the right token, resuming after a change of owner, ending.

A client is known by the entry that it came with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpin_messages import requests
from vpin_messages.entry import Opening
from vpin_messages.requests import PinReply
from vpin_messages.slab import BOARDS, Down, Side, UpEntry, credential, down_entry
from vpin_protocol import Status

from vpin_state import metrics
from vpin_state.handlers import bridge, presence
from vpin_state.provisioning import join
from vpin_state.session import Instance, Session

if TYPE_CHECKING:
    from vpin_state.device import Device
    from vpin_state.model import Account, Dashboard
    from vpin_state.owner import Owner

_SIDES = frozenset(Side)


def open_session(owner: Owner, instance: Instance, account: Account | None, entry: UpEntry, opening: Opening) -> None:
    """A client was let in by the entry: check that what it came in with is still right, then answer the log-in."""
    joined = opening.provision is not None and join(owner.config, account, entry.dash, entry.device, opening.provision)
    session = _admit(instance, account, entry, opening)
    status = _verdict(session, entry.side, opening)
    if session is None or status != Status.OK:
        owner.turn_away(instance, entry.session, entry.side, opening.message_id, status)
        return
    _settle_in(session)
    fx = owner.begin(session.account, session, opening.message_id)
    if joined:
        fx.after_commit()
    if session.device is not None:
        presence.device_connected(fx, session, opening)
    else:
        presence.app_connected(fx, session, opening)
    owner.settle(session.account)


def resume(instance: Instance, account: Account | None, entry: UpEntry, opening: Opening | None) -> Session | None:
    """A session that another owner opened: take it over silently, or close it when its token is not right any more."""
    session = _admit(instance, account, entry, opening)
    if session is None:
        instance.outlet.add(down_entry(Down.CLOSE, entry.session))
        return None
    _settle_in(session)
    if session.device is not None:
        bridge.restore(session, session.device)
    metrics.sessions_resumed.inc()
    return session


def end(owner: Owner, session: Session) -> None:
    """The connection is gone."""
    del session.instance.sessions[session.id]
    fx = owner.begin(session.account)
    metrics.sessions.labels(_label(session)).dec()
    if session.device is not None:
        if session.group_time:
            session.device.bank.moment = 0  # a group ends with its connection
        if session in session.device.sessions:
            session.device.sessions.remove(session)
            presence.device_gone(fx, session.device)
    elif session in session.account.apps:
        session.account.apps.remove(session)
        presence.app_gone(fx, session)
    session.closing = True
    owner.settle(session.account)


def refuse_request(owner: Owner, instance: Instance, request: int) -> None:
    """The account of an API request can't be loaded now."""
    owner.outbox.reply(
        instance, request, requests.encode(PinReply(503, b"The database is away, try again.")), durable=False
    )


def _admit(instance: Instance, account: Account | None, entry: UpEntry, opening: Opening | None) -> Session | None:
    """The session of a client, unless its device is gone, or its token is not the one by which it came in."""
    if account is None or entry.side not in _SIDES:
        return None
    device: Device | None = None
    dash: Dashboard | None = None
    mark = entry.credential
    if entry.side in BOARDS:
        dash = account.dashboards.get(entry.dash)
        device = dash.devices.get(entry.device) if dash else None
        if device is None or not device.token or credential(device.token) != mark:
            return None
    elif mark:  # shared
        dash = account.dashboards.get(entry.dash)
        token = dash.settings.get("sharedToken") if dash else None
        if dash is None or not token or credential(token) != mark:
            return None
    session = Session(instance, entry.session, Side(entry.side), account, device)
    session.credential = mark
    session.dash = dash
    session.shared = entry.side not in BOARDS and bool(mark)
    if opening is not None:
        session.os, session.version, session.uid = opening.os, opening.version, opening.uid
    return session


def _verdict(session: Session | None, side: int, opening: Opening) -> int:
    """200, or the status for a client whose token, password or share was taken back since the entry looked."""
    if session is None:
        return Status.INVALID_TOKEN if side in BOARDS else Status.NOT_ALLOWED
    if session.shared and session.dash is not None and not session.dash.settings.get("isShared"):
        return Status.NOT_ALLOWED
    if opening.password in session.account.retired:
        return Status.NOT_AUTHENTICATED
    return Status.OK


def _settle_in(session: Session) -> None:
    session.instance.sessions[session.id] = session
    if session.device is not None:
        session.device.sessions.append(session)
    else:
        session.account.apps.append(session)
    metrics.sessions.labels(_label(session)).inc()


def _label(session: Session) -> str:
    """What metrics call sessions of its kind."""
    return "mqtt" if session.mqtt else session.side.name.lower()
