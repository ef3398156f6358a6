"""From the dirty marks of accounts to the rows of one commit."""

from __future__ import annotations

import msgspec
from vpin_store.rows import (
    Changes,
    DashboardRow,
    DatastreamRow,
    DeviceRow,
    JobRow,
    PropertyRow,
    TemplateRow,
    TokenRow,
    ValueRow,
    WidgetRow,
)

from vpin_state.alarms import is_timed
from vpin_state.dirty import Dirty
from vpin_state.model import Account
from vpin_state.numbering import number_for_commit
from vpin_state.origins import origin_of
from vpin_state.pins import KIND_OF_NAME, Pin
from vpin_state.templates import DATASTREAM_COLUMNS

_json = msgspec.json.Encoder().encode
_msgpack = msgspec.msgpack.Encoder().encode


def collect(account: Account, changes: Changes) -> None:
    """Move everything that is marked dirty into `changes` and clear the marks."""
    if account.gone:
        _collect_end(account, changes)
        return
    number_for_commit(account)
    _settle_timed(account)
    dirty, account.dirty, account.listed = account.dirty, Dirty(), False
    if dirty.account or dirty.deleted_devices or dirty.deleted_dashboards:
        changes.accounts.append(account.row._replace(body=_json(account.body), seq=account.seq))
    _collect_deletions(account, dirty, changes)
    for dash_id in dirty.dashboards:
        if (dash := account.dashboards.get(dash_id)) is not None:
            changes.dashboards.append(
                DashboardRow(account.id, dash_id, dash.position, dash.active, dash.updated_at, _json(dash.settings))
            )
    _collect_widgets(account, dirty, changes)
    _collect_devices(account, dirty, changes)
    _collect_templates(account, dirty, changes)
    changes.events += dirty.events
    for token, (kind, dash_id, device_id, expires_at, body) in dirty.tokens.items():
        changes.tokens.append(TokenRow(token, kind, account.id, dash_id, device_id, expires_at, body))
    changes.values += [_value_row(account.id, pin) for pin in dirty.pins if _is_alive(account, pin)]
    _collect_points(account, dirty, changes)
    for dash_id, target, kind, number, name in dirty.properties:
        dash = account.dashboards.get(dash_id)
        bank = dash.banks.get(target) if dash else None
        value = bank.properties.get((kind, number, name)) if bank else None
        if value is not None:
            changes.properties.append(PropertyRow(account.id, dash_id, target, kind, number, name, value))
    changes.jobs += [JobRow(key, account.shard, body) for key, body in dirty.jobs]


def _collect_end(account: Account, changes: Changes) -> None:
    """Of an account that is deleted nothing else is left to store. Its boards' tokens by name: they are remembered."""
    account.dirty, account.listed = Dirty(), False
    changes.deleted_accounts.append(account.id)
    changes.deleted_tokens += [
        d.token for dash in account.dashboards.values() for d in dash.devices.values() if d.token
    ]


def _collect_points(account: Account, dirty: Dirty, changes: Changes) -> None:
    if dirty.deleted_devices or dirty.deleted_dashboards:
        gone = {(account.id, *key) for key in (*dirty.deleted_devices, *((dash,) for dash in dirty.deleted_dashboards))}
        dirty.points = [p for p in dirty.points if p.stream[:2] not in gone and p.stream[:3] not in gone]
    changes.points += dirty.points


def _settle_timed(account: Account) -> None:
    """Whether the account does anything by the clock is stored with what decides it."""
    dirty = account.dirty
    if dirty.account or dirty.widgets or dirty.dashboards or dirty.deleted_widgets or dirty.deleted_dashboards:
        timed = is_timed(account)
        if timed != account.row.timed:
            account.row = account.row._replace(timed=timed)
            dirty.account = True


def _collect_deletions(account: Account, dirty: Dirty, changes: Changes) -> None:
    changes.deleted_dashboards += [(account.id, dash) for dash in dirty.deleted_dashboards]
    changes.deleted_widgets += [(account.id, *key) for key in dirty.deleted_widgets]
    changes.deleted_devices += [(account.id, *key) for key in dirty.deleted_devices]
    changes.deleted_tokens += dirty.deleted_tokens
    changes.deleted_values += [(account.id, *key) for key in dirty.deleted_values]
    changes.deleted_templates += [(account.id, template) for template in dirty.deleted_templates]
    changes.deleted_datastreams += [(account.id, *key) for key in dirty.deleted_datastreams]
    changes.deleted_history += [(account.id, *key) for key in dirty.deleted_history]
    changes.deleted_properties += [(account.id, *key) for key in dirty.deleted_properties]


def _collect_widgets(account: Account, dirty: Dirty, changes: Changes) -> None:
    by_dash: dict[int, set[int]] = {}
    for dash_id, key in dirty.widgets:
        by_dash.setdefault(dash_id, set()).add(key)
    for dash_id, keys in by_dash.items():
        if (dash := account.dashboards.get(dash_id)) is not None:
            changes.widgets += [
                WidgetRow(account.id, dash_id, widget.key, widget.key, _json(widget.json))
                for widget in dash.widgets  # their order is that of their keys, whichever of them are gone
                if widget.key in keys
            ]


def _collect_devices(account: Account, dirty: Dirty, changes: Changes) -> None:
    for dash_id, device_id in dirty.devices:
        dash = account.dashboards.get(dash_id)
        if dash is None or (device := dash.devices.get(device_id)) is None:
            continue
        device.data_saved_at = device.data_received_at
        changes.devices.append(
            DeviceRow(
                account.id,
                dash_id,
                device_id,
                device.position,
                device.name or "",
                device.token,
                device.template_id,
                device.connect_time,
                device.first_connect_time,
                device.disconnect_time,
                device.data_received_at,
                device.last_logged_ip,
                _json(device.body),
            )
        )


def _collect_templates(account: Account, dirty: Dirty, changes: Changes) -> None:
    for template_id in dirty.templates:
        if (template := account.templates.get(template_id)) is None:
            continue
        changes.templates.append(
            TemplateRow(
                account.id,
                template.id,
                template.position,
                template.name,
                template.created_at,
                template.updated_at,
                _json(template.body),
            )
        )
        for position, stream in enumerate(template.streams):
            rest = {key: value for key, value in stream.items() if key not in DATASTREAM_COLUMNS}
            kind, number = KIND_OF_NAME[stream["pinType"]], stream["pin"]
            columns = (position, stream["id"], stream["name"], stream["alias"])
            changes.datastreams.append(DatastreamRow(account.id, template.id, kind, number, *columns, _json(rest)))


def _value_row(account_id: int, pin: Pin) -> ValueRow:
    pin.dirty = False
    bank = pin.bank
    lines = None if pin.lines is None else _msgpack(pin.lines)
    key = (account_id, bank.dash.id, bank.target, pin.kind, pin.number)
    at = pin.updated_at
    return ValueRow(*key, pin.value, lines, int(at), pin.seq, origin_of(at))


def _is_alive(account: Account, pin: Pin) -> bool:
    """Whether the pin's dashboard and target are still there: a pin that was written and then deleted must not come back."""
    dash = pin.bank.dash
    return account.dashboards.get(dash.id) is dash and dash.banks.get(pin.bank.target) is pin.bank
