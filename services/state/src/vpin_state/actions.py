"""What rules and timers do: set pins, change properties, send messages (spec 05, 2.1 and 2.2.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpin_protocol import BodyError, Command

from vpin_state import confirmations, datastreams, lookup, origins, rules
from vpin_state.errors import Refused
from vpin_state.handlers.notifications import mail_text, notify_phones, tweet_text
from vpin_state.kinds import PROPERTY_OF_RULE
from vpin_state.pins import ANALOG, KIND_OF_NAME
from vpin_state.properties import set_on_pin
from vpin_state.rules import pin_of
from vpin_state.syncs import write_body
from vpin_state.values import store

if TYPE_CHECKING:
    from vpin_state.device import Device
    from vpin_state.effects import Effects
    from vpin_state.model import Dashboard, JsonObject
    from vpin_state.pins import Bank

RULE_ID = 888
PLACEHOLDER = "/pin/"


def run_rules(fx: Effects, dash: Dashboard, target: int, kind: int, number: int, value: bytes) -> None:
    """A pin was written by a board, an app or the HTTP API, and is stored: run its rules, if the dashboard is active.

    `target` is the device, or what the app's command named: a tag or a selector may have an eventor too.
    """
    found = rules.of(dash, target, kind, number)
    if not found or not dash.active:
        return
    devices = lookup.devices_of(dash, target)
    for rule in found:
        if rule.fires(value):
            if rule.waits_for_change:
                rules.remember(dash, rule, value)
            for action in rule.actions:
                perform(fx, dash, devices, action, RULE_ID, value)


def perform(
    fx: Effects,
    dash: Dashboard,
    devices: list[Device],
    action: JsonObject,
    message_id: int,
    trigger: bytes | None = None,
) -> None:
    """Carry out a valid action on devices of an active dashboard. `trigger`: what was written; None: the clock did it."""
    match action["type"]:
        case "SETPIN":
            for device in devices:
                set_pin(fx, device, action["pin"], action["value"].encode(errors="replace"), message_id)
        case "SET_PROP":
            for device in devices:
                _set_property(fx, device, action, message_id)
        case "NOTIFY":
            notify_phones(fx, dash, _filled(action["message"], trigger))
        case "MAIL":
            mail_text(fx, dash, action.get("subject", ""), _filled(action["message"], trigger))
        case _:
            tweet_text(fx, dash, _filled(action["message"], trigger))


def _filled(message: str, trigger: bytes | None) -> str:
    """The message with the written value in it; several parts are told with blanks between them."""
    if trigger is None:
        return message
    return message.replace(PLACEHOLDER, trigger.replace(b"\0", b" ").decode(errors="replace"))


def set_pin(
    fx: Effects, device: Device, holder: JsonObject, value: bytes, message_id: int, *, also: Bank | None = None
) -> None:
    """Store a value and tell board and apps, whether the board is there or not.

    No other rule, webhook or history sees it. A value that the pin's datastream or widget can't take is dropped.
    `also`: pins of a tag that keep the same value.
    """
    found = pin_of(holder)
    if found is None:
        return
    kind, number = found
    admitted = datastreams.admitted(device, kind, number, value)
    if admitted is None:
        return
    body = write_body(ANALOG if holder.get("pwmMode") else kind, number, admitted)
    if datastreams.confirmation_ms(device, kind, number):
        confirmations.hold(fx, device, kind, number, taken=fx.to_device(device, message_id, body))
        return
    origin, fx.origin = fx.origin, origins.RULE
    try:
        for bank in filter(None, (device.bank, also)):
            store(fx, bank, kind, number, admitted)
    except (Refused, BodyError):  # a table or time input on the pin can't read it
        return
    finally:
        fx.origin = origin
    fx.to_device(device, message_id, body)
    fx.to_apps(device.dash, Command.HARDWARE, message_id, device.prefix + body)


def _set_property(fx: Effects, device: Device, action: JsonObject, message_id: int) -> None:
    """Change the widgets on the pin, or keep it for the pin where none has it; the apps are told."""
    number = action["pin"]["pin"]
    name = PROPERTY_OF_RULE[action["property"]]
    value = action["value"].encode(errors="replace")
    try:
        set_on_pin(device, number, name, value, kind=KIND_OF_NAME[action["pin"]["pinType"]])
    except Refused:
        return
    device.dash.updated_at = fx.now
    body = b"%s%d\0%s\0%s" % (device.prefix, number, name.encode(), value)
    fx.to_apps(device.dash, Command.SET_PROPERTY, message_id, body)
