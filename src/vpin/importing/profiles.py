"""A profile file as an account of vpin, by the rules by which the state service reads what apps send (spec 03, 2.2, 17)."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vpin_state.copies import bare_project
from vpin_state.errors import Refused
from vpin_state.handlers.dashboards import add_device, build_dashboard
from vpin_state.json_rules import encode, parse
from vpin_state.kinds import KINDS
from vpin_state.model import NO_PROJECT, Account, Dashboard, JsonObject
from vpin_state.schema import OBJECTS, compile_fields, read_object, reader
from vpin_store.rows import AccountRow, TokenRow

from vpin.importing.folder import ProfileFile
from vpin.importing.reading import UnreadableError, read_text
from vpin.importing.report import Notes
from vpin.importing.salvage import read_what_fits
from vpin.importing.values import take_values

USER = compile_fields(
    "email text, name text, appName text=Blynk, pass text, region text, ip text, lastModifiedTs long, lastLoggedIP text,"
    " lastLoggedAt long, isFacebookUser bool, isSuperAdmin bool, energy int"
)
BUFFER = 250
"""Receive buffer of a board that has not told one (spec 03, 5)."""
_STATE = ("token", "status", "disconnectTime", "connectTime", "firstConnectTime", "dataReceivedAt", "lastLoggedIP")
_KNOWN_OF_USER = {field.name for field in USER} | {"id", "profile"}
_KNOWN_OF_PROFILE = {"dashBoards", "apps", "pinsStorage"}
_KNOWN_OF_DASHBOARD = {field.name for field in OBJECTS["Dashboard"]} | {"sharedToken", "pinsStorage"}
_KNOWN_OF_DEVICE = {field.name for field in OBJECTS["Device"]}
_KNOWN_OF_WIDGET = {name: {"type", *(f.name for f in kind.fields)} for name, kind in KINDS.items()}


@dataclass(slots=True)
class Profile:
    """What a file says, not yet an account."""

    source: Path
    digest: str  # of the text that it was read from
    row: AccountRow  # id 0, no password
    spelled: str  # the e-mail address as the old server wrote it
    app_hash: str  # what the app sends in place of a password; "": none
    raw: JsonObject  # the key `profile`
    modified_at: int
    notes: Notes

    @property
    def key(self) -> tuple[str, str]:
        return self.row.email, self.row.app_name

    @property
    def name(self) -> str:
        """As reports call the account."""
        return self.row.email if self.row.app_name == "Blynk" else f"{self.row.email} ({self.row.app_name})"

    def tokens(self) -> set[str]:
        """Everything in it that has to be unique in vpin: tokens of devices and of shared projects, ids of apps."""
        found: list[Any] = [app.get("id") for app in _objects(self.raw.get("apps"))]
        for dash in _objects(self.raw.get("dashBoards")):
            found.append(dash.get("sharedToken"))
            found += [device.get("token") for device in _objects(dash.get("devices"))]
        return {token for token in found if type(token) is str and token}


def read_profile(file: ProfileFile, initial_energy: int) -> Profile:
    """The profile, of the newest backup when the file is damaged (06, 8). UnreadableError; OSError."""
    source, text, user, remark = read_text(file)
    notes = Notes()
    found = read_what_fits(
        lambda part: read_object(USER, part),
        {key: value for key, value in user.items() if key != "profile"},
        "user",
        lambda where: notes.add("field", where, "a value that does not fit"),
    )
    raw = user.get("profile")
    spelled = str(found.get("email") or (file.email if "@" in file.email else "")).strip()
    email = spelled.lower()
    if not email:
        raise UnreadableError("it names no e-mail address")
    row = AccountRow(
        id=0,
        email=email,
        app_name=found["appName"],
        name=found.get("name", email),
        password_hash="",
        is_super_admin=found["isSuperAdmin"],
        is_facebook_user=found["isFacebookUser"],
        energy=found["energy"] if user.get("energy") is not None else initial_energy,
        created_at=0,
        last_login_at=found["lastLoggedAt"],
        last_login_ip=found.get("lastLoggedIP", ""),
        body=b"{}",
    )
    modified_at = found["lastModifiedTs"]
    digest = hashlib.sha256(text).hexdigest()
    raw = raw if type(raw) is dict else {}
    profile = Profile(source, digest, row, spelled, found.get("pass", ""), raw, modified_at, notes)
    notes.account = profile.name
    if source != file.path:
        notes.add("profile", file.path.name, f"damaged: taken from the backup {source.name}")
    if remark:
        notes.add("profile", source.name, remark)
    if not profile.app_hash:
        how = (
            "came in by Facebook, which vpin does not ask, without a password"
            if row.is_facebook_user
            else "has no password"
        )
        notes.add("profile", source.name, f"{how}: set one with `vpin user passwd`")
    _note_unknown(notes, "account", user, _KNOWN_OF_USER)
    _note_unknown(notes, "profile", raw, _KNOWN_OF_PROFILE)
    return profile


def build(profile: Profile, is_taken: Callable[[str], bool]) -> Account:
    """The account in memory, all of it marked to be stored; id and password are the caller's to set.

    `is_taken` tells tokens that somebody else has: their devices get new ones. Notes tell what was not taken.
    """
    notes, raw = profile.notes, profile.raw
    account = Account(profile.row, {}, 0)
    tokens = _Tokens(is_taken, notes)
    for n, dashboard in enumerate(_list(raw.get("dashBoards"))):
        _add_dashboard(account, dashboard, f"project {_id(dashboard, n)}", profile.modified_at, tokens, notes)
    for dashboard in _objects(raw.get("dashBoards")):  # where older servers had them
        take_values(account, dashboard.get("pinsStorage"), f"{dashboard.get('id', 0)}-", profile.modified_at, notes)
    take_values(account, raw.get("pinsStorage"), "", profile.modified_at, notes)
    _add_apps(account, raw.get("apps"), tokens, notes)
    created = [dash.settings["createdAt"] for dash in account.dashboards.values() if dash.settings["createdAt"] > 0]
    account.change(created_at=min(created, default=profile.modified_at))
    return account


def read_clone(token: str, text: bytes) -> TokenRow:
    """A cloned project under its code, without secrets and values. Refused when it is none."""
    nobody = Account(AccountRow(0, "", "", "", "", False, False, 0, 0, 0, "", b"{}"), {}, 0)
    notes = Notes()
    _add_dashboard(nobody, parse(text), token, 0, _Tokens(lambda _: False, notes), notes)
    dash = next(iter(nobody.dashboards.values()), None)
    if dash is None:
        raise Refused(0)
    return TokenRow(token, "clone", 0, dash.id, 0, 0, encode(bare_project(dash)))


class _Tokens:
    """Decides which token a device gets."""

    def __init__(self, is_taken: Callable[[str], bool], notes: Notes) -> None:
        self._is_taken = is_taken
        self._seen: set[str] = set()
        self._notes = notes

    def free(self, token: str, where: str) -> bool:
        """Whether the token may be used; if not, it is noted why."""
        if "/" in token or "\0" in token:
            self._notes.add("token", where, f"{token[:4]}… has characters that no token may have")
        elif token in self._seen or self._is_taken(token):
            self._notes.add("token", where, f"{token[:4]}… belongs to another device or project already")
        else:
            self._seen.add(token)
            return True
        return False

    def of_device(self, token: str, where: str) -> str:
        if not token or self.free(token, where):
            return token
        self._notes.add("token", where, "has got a new token: its board needs it")
        return secrets.token_urlsafe(24)


def _add_dashboard(
    account: Account, raw: Any, where: str, modified_at: int, tokens: _Tokens, notes: Notes
) -> Dashboard | None:
    if type(raw) is not dict:
        notes.add("field", where, "is no object")
        return None
    found = read_what_fits(
        reader("Dashboard"), raw, where, lambda path: notes.add("field", path, "a value that does not fit")
    )
    if found["id"] in account.dashboards or found["id"] == NO_PROJECT:
        notes.add("field", where, "a second project of this id")
        return None
    _note_unknown(notes, "project", raw, _KNOWN_OF_DASHBOARD)
    _note_widgets(notes, raw.get("widgets"))
    widgets, devices = found.pop("widgets", []), found.pop("devices", [])
    share = raw.get("sharedToken")
    if type(share) is str and share and tokens.free(share, f"{where}, shared"):
        found["sharedToken"] = share
        account.set_token(share, "share", found["id"])
    dash = build_dashboard(account, found, widgets, [], modified_at)
    for device in devices:
        _add_device(dash, device, f"{where}, device {device['id']}", tokens, notes)
    for device in _objects(raw.get("devices")):
        _note_unknown(notes, "device", device, _KNOWN_OF_DEVICE)
    return dash


def _add_device(dash: Dashboard, json: JsonObject, where: str, tokens: _Tokens, notes: Notes) -> None:
    if json["id"] in dash.devices:
        notes.add("field", where, "a second device of this id")
        return
    body = {key: value for key, value in json.items() if key not in _STATE}
    if "hardwareInfo" in body and body["hardwareInfo"]["buffIn"] <= 0:
        body["hardwareInfo"]["buffIn"] = BUFFER
    device = add_device(dash, body, tokens.of_device(json.get("token", ""), where))
    device.connect_time, device.disconnect_time = json["connectTime"], json["disconnectTime"]
    if device.connect_time > device.disconnect_time:  # it was connected when the profile was written
        device.disconnect_time = max(device.connect_time, json["dataReceivedAt"])
    device.first_connect_time = json["firstConnectTime"]
    device.data_received_at = device.data_saved_at = json["dataReceivedAt"]
    device.last_logged_ip = json.get("lastLoggedIP", "")


def _add_apps(account: Account, raw: Any, tokens: _Tokens, notes: Notes) -> None:
    apps: list[JsonObject] = []
    for app in _objects(raw):
        found = read_what_fits(
            reader("App"), app, "app", lambda path: notes.add("field", path, "a value that does not fit")
        )
        where = f"app {found.get('name') or found.get('id')}"
        if not found.keys() >= {"id", "theme", "provisionType", "name"}:
            notes.add("field", where, "lacks id, name, theme or provisionType")
        elif tokens.free(found["id"], where):
            account.set_token(found["id"], "app")
            apps.append(found)
    if apps:
        account.body["apps"] = apps


def _note_widgets(notes: Notes, raw: Any) -> None:
    """Types and keys of widgets that vpin does not know."""
    for widget in _objects(raw):
        name = widget.get("type")
        if type(name) is str and name in KINDS:
            _note_unknown(notes, f"widget {name}", widget, _KNOWN_OF_WIDGET[name])
        else:
            notes.add("widget type", str(name), "not known: read as BUTTON")
        for template in _objects(widget.get("templates")):
            _note_widgets(notes, template.get("widgets"))


def _note_unknown(notes: Notes, where: str, raw: JsonObject, known: Iterable[str]) -> None:
    for key in raw.keys() - known:
        notes.add("field", where, f"unknown key {key}")


def _list(raw: Any) -> list[Any]:
    return raw if type(raw) is list else []


def _objects(raw: Any) -> list[JsonObject]:
    return [item for item in _list(raw) if type(item) is dict]


def _id(raw: Any, position: int) -> object:
    return raw.get("id", position) if type(raw) is dict else position
