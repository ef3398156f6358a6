"""Command 24: the profile, or one project of it (spec 02, 6.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpin_protocol import Command, Status, parse_int32, split_all

from vpin_state import lookup
from vpin_state.copies import bare_project
from vpin_state.errors import Refused
from vpin_state.handlers.flashed import ask_project
from vpin_state.json_rules import View
from vpin_state.profile import compressed, dashboard_json, guest_profile_json, profile_json
from vpin_state.registry import APP, handles, task

if TYPE_CHECKING:
    from vpin_state.effects import Connection, Effects
    from vpin_state.model import Account, Dashboard
    from vpin_state.session import Session


def _load_published(fx: Effects, session: Session, body: bytes) -> None:
    """The publisher's dashboard behind a flashed token, without secrets and values; not that publisher's: 6."""
    fields = split_all(body)
    if len(fields) < 3:
        raise Refused(Status.ILLEGAL_COMMAND)
    if session.shared:
        raise Refused(Status.NOT_ALLOWED)
    dash_id, email = parse_int32(fields[1]), fields[2].decode(errors="replace").lower()
    app_name = fields[3].decode(errors="replace") if len(fields) > 3 else session.account.row.app_name

    def go_on(fx: Effects, dash: Dashboard | None) -> None:
        owner = dash.account.row if dash is not None else None
        if dash is None or owner is None or (dash.id, owner.email, owner.app_name) != (dash_id, email, app_name):
            raise Refused(Status.NOT_ALLOWED)
        fx.answer(Command.LOAD_PROFILE, compressed(bare_project(dash)))

    ask_project(fx, fields[0].decode(errors="replace"), go_on)


@handles(Command.LOAD_PROFILE, APP, also_shared=True)
def load_profile(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """Empty: the Profile; `dash`: a Dashboard; `flashedToken·dash·email[·app]`: that of a publisher. zlib JSON."""
    if b"\0" in body:
        _load_published(fx, session, body)
        return
    if session.shared:
        assert session.dash is not None
        dash = lookup.shared_dash(session, body or b"%d" % session.dash.id)
        found = dashboard_json(dash, fx.now, View.PUBLIC) if body else guest_profile_json(dash, fx.now)
    else:
        dash = lookup.dash(session, body) if body else None
        found = profile_json(session.account, fx.now) if dash is None else dashboard_json(dash, fx.now)
    fx.answer(Command.LOAD_PROFILE, compressed(found))


@task("expect")
def expect(fx: Effects, account: Account, connection: Connection, fields: list[bytes]) -> None:
    """A log-in is on its way: nothing to do but to have the account in memory, which a task sees to."""
