"""Requests of the pin APIs: from the REQUEST entry to the registered operation and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import structlog
from vpin_messages import requests
from vpin_messages.requests import PinReply
from vpin_messages.slab import UpEntry, credential
from vpin_protocol import BodyError

from vpin_state import registry
from vpin_state.errors import Declined, Refused
from vpin_state.numbering import number_writes
from vpin_state.origins import HTTP

if TYPE_CHECKING:
    from vpin_state.model import Account
    from vpin_state.owner import Owner
    from vpin_state.session import Instance

log = structlog.get_logger()

_arguments = msgspec.json.Decoder(dict[str, Any]).decode
_json = msgspec.json.Encoder().encode

INVALID_TOKEN = PinReply(400, b"Invalid token.")


def answer_request(owner: Owner, instance: Instance, account: Account | None, entry: UpEntry) -> None:
    """Run one operation; a reply to a change waits for its commit."""
    number = entry.session
    if entry.device == requests.ACCOUNT:
        _answer_account(owner, instance, account, number, entry.payload)
        return
    dash = account.dashboards.get(entry.dash) if account else None
    device = dash.devices.get(entry.device) if dash else None
    if account is None or device is None or not device.token or credential(device.token) != entry.credential:
        owner.outbox.reply(instance, number, requests.encode(INVALID_TOKEN), durable=False)
        return
    request = requests.decode_request(entry.payload)
    fx = owner.begin(account)
    fx.origin = HTTP
    operation = registry.operations.get(request.operation)
    try:
        reply = operation(fx, device, request) if operation else PinReply(404)
    except (Refused, BodyError):
        reply = PinReply(400, b"Wrong request format.")
    except Exception:
        log.exception("operation failed", operation=request.operation, account=account.id)
        reply = PinReply(500, b"Internal error.")
    if account.watch is not None:
        number_writes(account)
    durable = owner.settle(account)
    owner.outbox.reply(instance, number, requests.encode(reply), durable)


def _answer_account(owner: Owner, instance: Instance, account: Account | None, number: int, payload: bytes) -> None:
    """Run one operation of the management API."""
    request = requests.decode_request(payload)
    operation = registry.account_operations.get(request.operation)
    if account is None or operation is None:
        owner.outbox.reply(instance, number, requests.encode(PinReply(404)), durable=False)
        return
    fx = owner.begin(account)
    fx.origin = HTTP
    try:
        reply = operation(fx, account, _arguments(request.payload))
    except Declined as declined:
        reply = PinReply(declined.status, _json({"detail": declined.detail, "loc": declined.loc}))
    except (Refused, BodyError):
        reply = PinReply(422, _json({"detail": "The value does not fit.", "loc": ""}))
    except Exception:
        log.exception("operation failed", operation=request.operation, account=account.id)
        reply = PinReply(500)
    if account.watch is not None:
        number_writes(account)
    durable = owner.settle(account)
    owner.outbox.reply(instance, number, requests.encode(reply), durable)
