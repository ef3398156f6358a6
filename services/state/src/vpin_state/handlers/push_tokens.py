"""Command 27: a phone names the token under which it gets push messages (spec 02, 11.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpin_protocol import Command, Status, split_first

from vpin_state import lookup
from vpin_state.errors import Refused
from vpin_state.handlers.notifications import find_widget
from vpin_state.registry import APP, handles

if TYPE_CHECKING:
    from vpin_state.effects import Effects
    from vpin_state.session import Session

_KEYS = {"android": "androidTokens", "ios": "iOSTokens"}
LONGEST = 4096
"""Characters of a token; real ones have some hundred."""
PHONES_MAX = 100
"""Phones that a widget keeps; with one more the oldest goes."""


@handles(Command.ADD_PUSH_TOKEN, APP, also_shared=True)
def add(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`dash·uid·token`: kept in the project's NOTIFICATION widget, by the operating system of the log-in."""
    fields = [field.decode(errors="replace") for field in split_first(body, 3)]
    if len(fields) < 3:
        raise Refused(Status.ILLEGAL_COMMAND)
    dash = lookup.shared_dash(session, fields[0].encode())
    _, uid, token = fields
    widget = find_widget(dash, "NOTIFICATION")
    if widget is None or max(len(uid), len(token)) > LONGEST:
        raise Refused(Status.NOT_ALLOWED)
    key = _KEYS.get(session.os.lower())
    if key is not None:
        others = {k: v for k, v in widget.json.get(key, {}).items() if k != uid}
        kept = dict(list(others.items())[-(PHONES_MAX - 1) :])
        widget.json = {**widget.json, key: {**kept, uid: token}}
        widget.changed()
    fx.reply(Status.OK)
