"""Command 13 of apps: tokens and template ids by mail to the account's own address (spec 02, 11.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from vpin_messages.jobs import Answer
from vpin_protocol import Command, Status, parse_int64, split_all

from vpin_state import lookup, mails
from vpin_state.errors import Refused
from vpin_state.registry import APP, handles

if TYPE_CHECKING:
    from vpin_messages.jobs import Job

    from vpin_state.effects import Effects
    from vpin_state.session import Session


@handles(Command.EMAIL, APP)
def email(fx: Effects, session: Session, message_id: int, body: bytes) -> None:
    """`dash`, `dash·device` or `template·dash·tilesWidget·template`; 200 once the mail server has it, else 15."""
    fields = split_all(body)
    if not fields:
        raise Refused(Status.ILLEGAL_COMMAND)
    if fields[0] == b"template":
        _template(fx, session, fields[1:])
        return
    dash = lookup.dash(session, fields[0])
    devices = [lookup.device(dash, fields[1])] if len(fields) > 1 else list(dash.devices.values())
    if not devices or (len(devices) == 1 and not devices[0].token):
        raise Refused(Status.ILLEGAL_COMMAND_BODY)
    send(fx, session, mails.device_tokens(session.account.row.email, dash.settings.get("name", ""), devices))


def _template(fx: Effects, session: Session, fields: list[bytes]) -> None:
    if len(fields) < 3:
        raise Refused(Status.ILLEGAL_COMMAND)
    tiles = lookup.tiles(lookup.dash(session, fields[0]), fields[1])
    template = lookup.template(tiles, parse_int64(fields[2]))
    name = template.get("name", mails.NEW_PROJECT)
    send(fx, session, mails.template_id(session.account.row.email, name, template.get("templateId", "")))


def send(fx: Effects, session: Session, mail: Job) -> None:
    """Send a mail whose outcome is the answer to the session's message."""
    answer = Answer(session.account.shard, session.instance.sender, session.id, fx.message_id)
    fx.notify(msgspec.structs.replace(mail, account=session.account.id, answer=answer, created_at=fx.now / 1000))
