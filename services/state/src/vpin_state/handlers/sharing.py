"""Commands 26, 30 and 31: sharing a project with guests (spec 02, 10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpin_protocol import BodyError, Command, Status, split_first

from vpin_state import lookup, settling
from vpin_state.errors import Refused
from vpin_state.kinds import SHARE_PRICE
from vpin_state.registry import APP, handles

if TYPE_CHECKING:
    from vpin_state.effects import Effects
    from vpin_state.model import Dashboard
    from vpin_state.session import Session


@handles(Command.SHARING, APP)
def switch(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`dash·on`, or any other word for off; all other sessions and the guests of this dashboard hear of it."""
    fields = split_first(body, 2)
    if len(fields) < 2:
        raise Refused(Status.ILLEGAL_COMMAND)
    dash = lookup.dash(session, fields[0])
    shared = fields[1] == b"on"
    if bool(dash.settings.get("isShared")) != shared:
        dash.settings = {**dash.settings, "isShared": shared}
        settling.touch(dash, fx.now)
    for app in session.account.apps:
        if app is not session and (not app.shared or app.dash is dash):
            fx.send(app, Command.SHARING, message_id, body)
    fx.reply(Status.OK)


@handles(Command.GET_SHARE_TOKEN, APP)
def get_token(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`dash` → its share token; the first one costs energy."""
    dash = _dash(session, body)
    token = dash.settings.get("sharedToken", "")
    if not token:
        settling.pay(session.account, SHARE_PRICE)
        token = _set_token(fx, dash)
    fx.answer(Command.GET_SHARE_TOKEN, token.encode())


@handles(Command.REFRESH_SHARE_TOKEN, APP)
def refresh_token(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`dash` → a new share token; who came in with the old one is thrown out."""
    dash = _dash(session, body)
    token = _set_token(fx, dash)
    for app in session.account.apps:
        if app.shared and app.dash is dash and not app.closing:
            fx.respond(app, message_id, Status.NOT_ALLOWED)
            fx.close(app)
    fx.answer(Command.REFRESH_SHARE_TOKEN, token.encode())


def _dash(session: Session, body: bytes) -> Dashboard:
    try:
        return lookup.dash(session, body)
    except BodyError:
        raise Refused(Status.NOT_ALLOWED) from None


def _set_token(fx: Effects, dash: Dashboard) -> str:
    token = fx.new_token()
    if old := dash.settings.get("sharedToken"):
        dash.account.drop_token(old)
    dash.account.set_token(token, "share", dash.id)
    dash.settings = {**dash.settings, "sharedToken": token}
    settling.touch(dash, fx.now)
    return token
