"""Downloads: what the names of exported files stand for. State writes them into mails, the api answers with the files.

Nothing is made ahead and no folder is shared: the api makes a file from the database whenever it is asked for. A name can't
be guessed: it ends in a signature made with a key of the installation (``store.tokens.key``, :data:`KEY`).

* ``{email}_{dash}_{target}_{v|d|a}{pin}_{ms}_{account}-{signature}.csv.gz`` says by itself what is in it: :class:`Csv`.
* ``….zip`` is itself the key of a token row of kind :data:`KIND`, whose body is a :data:`Recipe`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from typing import NamedTuple

import msgspec

KIND = "download"
"""Of token rows that are recipes."""
KEY = "downloads"
"""Name of the key that signs."""

_CSV = re.compile(
    r"(?P<head>.*_(-?\d{1,11})_(\d{1,10})_([vda])(\d{1,3})_(\d{1,16})_(\d{1,19}))-([\w-]{22})\.csv\.gz", re.ASCII
)
_ODD = re.compile(r"[^A-Za-z0-9@.+-]")


class Csv(NamedTuple):
    """The minutes of a pin, of a device or of all devices of a tag or selector, up to a moment."""

    account: int
    dash: int
    target: int
    kind: int  # ord of "v", "d" or "a"
    pin: int
    at: int  # ms: when it was asked for


class Series(msgspec.Struct, array_like=True, frozen=True):
    """A pin in an export, as it is called there."""

    device: int
    device_name: str
    kind: int
    pin: int
    label: str


class Report(msgspec.Struct, tag="report", frozen=True):
    """One run of a report (spec 05, 4.3), with names and labels as they were then. `zone` is what `tzName` said."""

    dash: int
    start: int
    end: int
    step: str  # "minute", "hour" or "day"
    points: int  # of a pin, at most
    output: str
    format: str
    zone: str
    name: str
    series: list[Series]


class DeviceData(msgspec.Struct, tag="device", frozen=True):
    """History of a device (spec 04, `data/get`): all of `series`, or with None all that it has."""

    dash: int
    device: int
    start: int
    end: int
    step: str  # "raw", "minute", "hour" or "day"
    aggregate: str  # "avg", "min", "max", "sum" or "count"
    format: str
    zone: str
    events: bool
    series: list[Series] | None


Recipe = Report | DeviceData

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Recipe).decode


def csv_name(key: bytes, email: str, csv: Csv) -> str:
    """The name of a file; who has it may read."""
    head = f"{_plain(email)}_{csv.dash}_{csv.target}_{chr(csv.kind)}{csv.pin}_{csv.at}_{csv.account}"
    return f"{head}-{_sign(key, head)}.csv.gz"


def read_csv_name(key: bytes, name: str) -> Csv | None:
    """What :func:`csv_name` was given; None for a name that it did not make."""
    found = _CSV.fullmatch(name)
    if found is None or not hmac.compare_digest(_sign(key, found["head"]), found[8]):
        return None
    dash, target, kind, pin, at, account = found.group(2, 3, 4, 5, 6, 7)
    return Csv(int(account), int(dash), int(target), ord(kind), int(pin), int(at))


def report_name(key: bytes, email: str, app_name: str, account: int, dash: int, report: int, day: str) -> str:
    """The same for all runs of a report on a day (yyyy-mm-dd): the last one counts."""
    head = f"{_plain(email)}_{_plain(app_name)}_{report}_{day}"
    return f"{head}_{_sign(key, f'{account} {dash} {head}')}.zip"


def device_data_name(device: int, moment: str) -> str:
    """A new name; `moment` is yyyy-mm-ddThh-mm-ss."""
    return f"device_data_{device}_{moment}_{secrets.token_urlsafe(16)}.zip"


def _plain(text: str) -> str:
    """The text as a part of a name: of letters, digits and what e-mail addresses have."""
    return _ODD.sub("-", text)


def _sign(key: bytes, text: str) -> str:
    return base64.urlsafe_b64encode(hmac.digest(key, text.encode(), hashlib.sha256)[:16]).decode().rstrip("=")
