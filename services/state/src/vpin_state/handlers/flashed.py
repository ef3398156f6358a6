"""Commands 59, 58 and 39: tokens that the publisher of an app prints on boards (spec 02, 7.6, 11.3, 11.8).

Such a token is kept under a name of its own, so that it stays known when it has become the token of somebody's device.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpin_protocol import Command, Status, split_all, split_first
from vpin_store.rows import TokenRow

from vpin_state import lookup, mails
from vpin_state.copies import bare_project
from vpin_state.errors import Refused
from vpin_state.handlers.apps import find_app
from vpin_state.handlers.mails import send
from vpin_state.profile import compressed
from vpin_state.questions import ClaimToken, DashboardOf, FindToken, Pictures
from vpin_state.registry import APP, handles

if TYPE_CHECKING:
    from collections.abc import Callable

    from vpin_state.effects import Effects
    from vpin_state.model import Dashboard
    from vpin_state.session import Session

ANY_DEVICE = -1
"""Device id of the one token of an app whose boards are all alike (DYNAMIC)."""


def _key(token: str) -> str:
    return f"flashed {token}"


@handles(Command.EMAIL_QR, APP)
def mail_tokens(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`dash·app`: fresh tokens for the boards of an app, with their QR codes by mail."""
    fields = split_all(body)
    if len(fields) < 2:
        raise Refused(Status.ILLEGAL_COMMAND)
    dash = lookup.dash(session, fields[0])
    app = find_app(session.account, fields[1].decode(errors="replace"))
    if app is None:
        raise Refused(Status.ILLEGAL_COMMAND_BODY)
    if app["provisionType"] == "STATIC":
        devices = [(device.id, device.name or mails.NEW_DEVICE) for device in dash.devices.values()]
    else:
        devices = [(ANY_DEVICE, app["name"])]
    if not devices:
        raise Refused(Status.ILLEGAL_COMMAND_BODY)
    tokens = [(fx.new_token(), dash.id, device, name) for device, name in devices]
    account, project = session.account, dash.settings.get("name", "")

    def go_on(fx: Effects, pictures: list[bytes]) -> None:
        for token, dash_id, device, _ in tokens:
            account.set_token(_key(token), "flashed", dash_id, device)
        send(fx, session, mails.app_details(account.row.email, app["name"], project, tokens, pictures))

    fx.ask(Pictures(tuple(token for token, *_ in tokens)), go_on)


@handles(Command.PROJECT_BY_TOKEN, APP)
def get_project(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`token` → the publisher's project without values and secrets."""

    def go_on(fx: Effects, dash: Dashboard | None) -> None:
        if dash is None:
            raise Refused(Status.NOT_ALLOWED)
        fx.answer(Command.PROJECT_BY_TOKEN, compressed(bare_project(dash)))

    ask_project(fx, body.decode(errors="replace"), go_on)


def ask_project(fx: Effects, token: str, then: Callable[[Effects, Dashboard | None], None]) -> None:
    """Go on with the publisher's dashboard behind a flashed token; unknown: Refused(6)."""

    def go_on(fx: Effects, row: TokenRow | None) -> None:
        if row is None or row.kind != "flashed":
            raise Refused(Status.NOT_ALLOWED)
        fx.ask(DashboardOf(row.account_id, row.dash_id), then)

    fx.ask(FindToken(_key(token)), go_on)


@handles(Command.ASSIGN_TOKEN, APP)
def assign_token(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`dash·token`: the device that the flashed token is for gets it; unknown, used up or no such device: 6."""
    fields = split_first(body, 2)
    if len(fields) < 2:
        raise Refused(Status.ILLEGAL_COMMAND)
    dash, token = lookup.dash(session, fields[0]), fields[1].decode(errors="replace")
    account = session.account

    def check(fx: Effects, row: TokenRow | None) -> None:
        if row is None or row.kind != "flashed" or row.device_id not in dash.devices:
            raise Refused(Status.NOT_ALLOWED)
        claim = TokenRow(f"claimed {token}", "claimed", account.id, dash.id, row.device_id, 0, b"")
        fx.ask(ClaimToken(claim), lambda fx, owner: take(fx, claim, owner))

    def take(fx: Effects, claim: TokenRow, owner: TokenRow) -> None:
        device = dash.devices.get(claim.device_id)
        gone = account.dashboards.get(dash.id) is not dash
        if owner[:5] != claim[:5] or gone or device is None or device.token == token:
            raise Refused(Status.NOT_ALLOWED)
        device.set_token(token)
        fx.reply(Status.OK)

    fx.ask(FindToken(_key(token)), check)
