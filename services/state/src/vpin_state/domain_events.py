"""The domain event `value.changed` (docs/integrations.md): what a commit has stored of pins, one message an account."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from vpin_state.origins import NAMES

if TYPE_CHECKING:
    from vpin_store.rows import ValueRow

VALUES_AT_ONCE = 500
"""Of one message."""
KEY = "value.changed"

_json = msgspec.json.Encoder().encode
_lines = msgspec.msgpack.Decoder(list[bytes]).decode


def value_events(rows: Sequence[ValueRow]) -> Iterator[tuple[str, bytes]]:
    """Routing key and JSON of each message; rows of an account stand together."""
    values: list[dict[str, Any]] = []
    account = 0
    for row in rows:
        if values and (row.account_id != account or len(values) >= VALUES_AT_ONCE):
            yield KEY, _json({"account": account, "values": values})
            values = []
        account = row.account_id
        values.append(_value(row))
    if values:
        yield KEY, _json({"account": account, "values": values})


def _value(row: ValueRow) -> dict[str, Any]:
    parts = _lines(row.lines) if row.lines is not None else [] if row.value is None else row.value.split(b"\0")
    return {
        "dash": row.dash_id,
        "device": row.device_id,
        "pin": f"{row.pin_type:c}{row.pin}".upper(),
        "value": [part.decode(errors="replace") for part in parts],
        "at": row.updated_at,
        "source": NAMES[row.source],
        "seq": row.seq,
    }
