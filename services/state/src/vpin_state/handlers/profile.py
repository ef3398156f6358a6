"""Command 24: the profile, or one project of it (spec 02, 6.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpin_protocol import Command, Status

from vpin_state import lookup
from vpin_state.errors import Refused
from vpin_state.json_rules import View
from vpin_state.profile import compressed, dashboard_json, guest_profile_json, profile_json
from vpin_state.registry import APP, handles

if TYPE_CHECKING:
    from vpin_state.effects import Effects
    from vpin_state.session import Session


@handles(Command.LOAD_PROFILE, APP, also_shared=True)
def load_profile(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """Empty: the Profile; `dash`: a Dashboard. zlib JSON. Tokens of flashed devices are known to nobody here: 6."""
    fields = body.split(b"\0")
    if len(fields) > 1:
        raise Refused(Status.ILLEGAL_COMMAND if len(fields) == 2 else Status.NOT_ALLOWED)
    if session.shared:
        assert session.dash is not None
        dash = lookup.shared_dash(session, body or b"%d" % session.dash.id)
        found = dashboard_json(dash, View.PUBLIC) if body else guest_profile_json(dash)
    else:
        found = dashboard_json(lookup.dash(session, body)) if body else profile_json(session.account)
    fx.answer(Command.LOAD_PROFILE, compressed(found))
