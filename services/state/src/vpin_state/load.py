"""From rows to an account in memory."""

from __future__ import annotations

from typing import Any

import msgspec
from vpin_store.rows import AccountRows

from vpin_state.device import Device
from vpin_state.model import Account, Dashboard, Widget
from vpin_state.origins import moment
from vpin_state.templates import NAME_OF_KIND, Template

_json = msgspec.json.Decoder(dict[str, Any]).decode
_lines = msgspec.msgpack.Decoder(list[bytes]).decode


def build_account(rows: AccountRows, shard: int) -> Account:
    """The account that the rows describe; nothing is dirty, nobody is online."""
    account = Account(rows.account, _json(rows.account.body or b"{}"), shard)
    for row in rows.templates:
        template = Template(account, row.id, row.name, _json(row.body), row.position)
        template.created_at, template.updated_at = row.created_at, row.updated_at
        account.templates[row.id] = template
    for row in rows.datastreams:
        if (template := account.templates.get(row.template_id)) is not None:
            columns = {"id": row.id, "pin": row.pin, "pinType": NAME_OF_KIND[row.pin_type]}
            template.streams.append(columns | {"name": row.name, "alias": row.alias} | _json(row.body))
    account.resets = {row.token: row.expires_at for row in rows.tokens if row.kind == "reset"}
    for row in rows.dashboards:
        dash = Dashboard(account, row.id, _json(row.body), row.position)
        dash.active = row.is_active
        dash.updated_at = row.updated_at
        account.dashboards[row.id] = dash
    for row in rows.widgets:
        dash = account.dashboards[row.dash_id]
        dash.widgets.append(Widget(dash, row.key, _json(row.body)))
        dash.next_key = max(dash.next_key, row.key + 1)
    for row in rows.devices:
        device = Device(account.dashboards[row.dash_id], row.id, row.name, row.token, _json(row.body), row.position)
        device.template_id = row.template_id
        device.connect_time = row.connect_time
        device.first_connect_time = row.first_connect_time
        device.disconnect_time = row.disconnect_time
        device.data_received_at = device.data_saved_at = row.data_received_at
        device.last_logged_ip = row.last_logged_ip
        device.dash.devices[row.id] = device
    for row in rows.values:
        if (dash := account.dashboards.get(row.dash_id)) is not None:
            pin = dash.bank(row.device_id).pin(row.pin_type, row.pin)
            pin.value = row.value
            pin.lines = None if row.lines is None else _lines(row.lines)
            pin.updated_at = moment(row.source, row.updated_at)
            pin.seq = row.seq
            account.seq = max(account.seq, row.seq)
    for row in rows.properties:
        if (dash := account.dashboards.get(row.dash_id)) is not None:
            dash.bank(row.device_id).properties[row.pin_type, row.pin, row.name] = row.value
    return account
