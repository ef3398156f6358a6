"""Commands 62 and 63: a code for a project, and the project for a code (spec 02, 11.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpin_protocol import Command, Status, split_first

from vpin_state import lookup
from vpin_state.copies import bare_project
from vpin_state.errors import Refused
from vpin_state.handlers.dashboards import create_dashboard
from vpin_state.json_rules import encode, read_dashboard
from vpin_state.profile import compressed, compressed_json, dashboard_json
from vpin_state.questions import FindToken
from vpin_state.registry import APP, handles

if TYPE_CHECKING:
    from vpin_store.rows import TokenRow

    from vpin_state.effects import Effects
    from vpin_state.session import Session

LAST_ID = (1 << 31) - 1


@handles(Command.GET_CLONE_CODE, APP)
def get_code(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`dash` → a code under which the project is kept as it is now."""
    dash = lookup.dash(session, body)
    code = fx.new_token()
    session.account.set_token(code, "clone", dash.id, body=encode(bare_project(dash)))
    fx.answer(Command.GET_CLONE_CODE, code.encode())


@handles(Command.PROJECT_BY_CLONE_CODE, APP)
def get_project(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`code` → that project; `code·anything` → a new project made of it. Unknown: 19."""
    code, *make = split_first(body, 2)

    def go_on(fx: Effects, row: TokenRow | None) -> None:
        if row is None or row.kind != "clone":
            raise Refused(Status.SERVER_ERROR)
        found = _new_project(fx, session, row.body) if make else compressed_json(row.body)
        fx.answer(Command.PROJECT_BY_CLONE_CODE, found)

    fx.ask(FindToken(code.decode(errors="replace")), go_on)


def _new_project(fx: Effects, session: Session, text: bytes) -> bytes:
    """A project of the caller's own with the next free id."""
    account = session.account
    settings, widgets, devices = read_dashboard(text, 0)
    free = max((dash.id for dash in account.projects), default=0) + 1
    if free > LAST_ID:
        raise Refused(Status.NOT_ALLOWED)
    settings |= {"id": free, "isShared": False, "parentId": -1}
    dash = create_dashboard(fx, account, settings, widgets, [(json, fx.new_token()) for json in devices])
    return compressed(dashboard_json(dash, fx.now))
