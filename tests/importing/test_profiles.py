"""One profile file as an account: what is taken, and what is told about the rest."""

from __future__ import annotations

import json
from collections.abc import Set
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vpin_state.errors import Refused
from vpin_state.load import build_account
from vpin_state.model import Account
from vpin_state.profile import profile_json
from vpin_store.rows import AccountRows, Changes

from importing import generated
from vpin.importing.deciding import Item
from vpin.importing.folder import Folder
from vpin.importing.mark import Mark
from vpin.importing.profiles import Profile, build, read_clone, read_profile
from vpin.importing.reading import UnreadableError
from vpin.importing.report import Finding, Result
from vpin.importing.storing import rows_of

Json = dict[str, Any]


def taken(user: Json | str, folder: Path, *, others: Set[str] = frozenset()) -> tuple[Profile, Account]:
    """The account of a profile that is written as it is."""
    text = user if isinstance(user, str) else json.dumps(user)
    generated.damage(folder / "anna@example.org.Blynk.user", text)
    profile = read_profile(Folder(folder).profiles[0], 77)
    return profile, build(profile, lambda token: token in others)


def stored(account: Account, profile: Profile) -> Account:
    """The account as the state service loads it from the rows that it has become."""
    account.id = 5
    account.row = account.row._replace(id=5)
    changes: Changes = rows_of(Item(profile, account, Result.TAKEN, Mark("", 0)))
    rows = AccountRows(changes.accounts[0])
    for name in ("dashboards", "widgets", "devices", "tokens", "values", "properties"):
        getattr(rows, name).extend(sorted(getattr(changes, name), key=lambda row: getattr(row, "position", 0)))
    return build_account(rows, 0)


def user(**profile: Any) -> Json:
    return {"email": "anna@example.org", "pass": "hash", "profile": profile}


def findings(profile: Profile, kind: str) -> list[tuple[str, str]]:
    return [(f.where, f.reason) for f in profile.notes.findings if f.kind == kind]


def without(json: Any, *keys: str) -> Any:
    if isinstance(json, dict):
        return {key: without(value, *keys) for key, value in json.items() if key not in keys}
    return [without(item, *keys) for item in json] if isinstance(json, list) else json


def test_a_profile_as_the_old_server_wrote_it_is_the_same_in_vpin(tmp_path: Path):
    old = generated.profile(7)
    profile, account = taken(old, tmp_path)
    assert profile.notes.findings == []
    found = profile_json(stored(account, profile), None)
    # A board that was connected when the server stopped is not any more: status and time of that are ours.
    ours = without(found, "status", "disconnectTime")
    assert ours["pinsStorage"] == old["profile"]["pinsStorage"]
    assert ours["dashBoards"] == without(old["profile"]["dashBoards"], "status", "disconnectTime")
    row = account.row
    assert (row.email, row.app_name, row.name, row.energy) == (old["email"], "Blynk", old["name"], old["energy"])
    assert (row.last_login_at, row.last_login_ip) == (old["lastLoggedAt"], old["lastLoggedIP"])
    assert row.created_at == min(dash["createdAt"] for dash in old["profile"]["dashBoards"])


def test_devices_are_offline_and_their_tokens_known(tmp_path: Path):
    profile, account = taken(generated.profile(7), tmp_path)
    dash = stored(account, profile).dashboards[1]
    assert dash.devices[0].disconnect_time >= dash.devices[0].connect_time
    changes = rows_of(Item(*taken(generated.profile(7), tmp_path), Result.TAKEN, Mark("", 0)))
    tokens = {row.token: (row.kind, row.dash_id, row.device_id) for row in changes.tokens}
    assert tokens[generated.token(7, 1, 0)] == ("device", 1, 0)
    assert tokens[generated.token(7, 1, 0xFFFF)] == ("share", 1, 0)
    assert {token for token, (kind, *_) in tokens.items() if kind != "import"} == profile.tokens()


@pytest.mark.parametrize("text", ["", "null", "[]", '{"email":"anna@example.org","profile":{"dashBo', "{}", "\x00\x01"])
def test_a_damaged_file_is_replaced_by_the_newest_whole_backup(tmp_path: Path, text: str):
    with pytest.raises(UnreadableError, match="no backup"):
        taken(text, tmp_path)
    backup = tmp_path / "backup"
    backup.mkdir()
    name = "anna@example.org.Blynk.user"
    (backup / f"{name}.2019-01-01").write_text(json.dumps(user() | {"energy": 1}))
    (backup / f"{name}.2020-02-02").write_text(json.dumps(user() | {"energy": 2}))
    (backup / f"{name}.2020-12-31").write_text("{")
    profile, account = taken(text, tmp_path)
    assert account.row.energy == 2
    assert findings(profile, "profile") == [(name, f"damaged: taken from the backup {name}.2020-02-02")]


@pytest.mark.parametrize(
    ("encode", "remark"),
    [
        (lambda text: text.encode("utf-8-sig"), None),
        (lambda text: text.encode("utf-16"), "is UTF-16"),
        (lambda text: text.encode("cp1252"), "is not UTF-8: read as Windows-1252"),
        (lambda text: text.replace("ä", "ä\n").encode(), "has characters that JSON may not have"),
        (lambda text: text.replace("Pumpe", r"\ud83d").encode(), "has characters that JSON may not have"),
        (lambda text: text.replace("1.5", "NaN").encode(), "has characters that JSON may not have"),
    ],
    ids=["mark", "utf-16", "windows", "line end", "half a pair", "nan"],
)
def test_one_odd_character_does_not_cost_the_account(tmp_path: Path, encode: Any, remark: str | None):
    widget = {"type": "GAUGE", "id": 1, "max": 1.5}
    dash = {"id": 1, "name": "Gewächshaus", "widgets": [widget], "devices": [{"id": 0, "name": "Pumpe", "token": "t"}]}
    text = json.dumps(user(dashBoards=[dash]), ensure_ascii=False)
    path = tmp_path / "anna@example.org.Blynk.user"
    path.write_bytes(encode(text))
    profile = read_profile(Folder(tmp_path).profiles[0], 77)
    account = build(profile, lambda token: False)
    found = profile_json(stored(account, profile), None)["dashBoards"][0]
    assert (found["name"][:4], found["devices"][0]["token"]) == ("Gewä", "t")
    assert [reason[: len(remark or "")] for _, reason in findings(profile, "profile")] == ([remark] if remark else [])


def test_a_file_that_is_just_being_written_is_not_replaced_by_a_backup(tmp_path: Path):
    """The old server writes in place, and may be running still."""
    name = "anna@example.org.Blynk.user"
    (tmp_path / "backup").mkdir()
    (tmp_path / "backup" / f"{name}.2020-02-02").write_text(json.dumps(user()))
    (tmp_path / name).write_text('{"email":"anna@')
    with pytest.raises(UnreadableError, match="stop the old server"):
        read_profile(Folder(tmp_path).profiles[0], 77)
    generated.damage(tmp_path / name, '{"email":"anna@')
    assert read_profile(Folder(tmp_path).profiles[0], 77).source.name == f"{name}.2020-02-02"


def test_what_does_not_fit_is_left_out_and_the_rest_is_taken(tmp_path: Path):
    rule = {"triggerPin": {"pin": 1, "pinType": "VIRTUAL"}, "condition": {"type": "GT", "value": 1}, "actions": []}
    widgets = [
        {"type": "GAUGE", "id": 1, "pin": 3, "pinType": "VIRTUAL", "value": "9", "min": "NaN", "max": 50},
        {"type": "HOLOGRAM", "id": 2, "pin": 4, "pinType": "VIRTUAL", "value": "8", "shine": 1},
        {"type": "EVENTOR", "id": 3, "rules": [rule | {"condition": {"type": "OFTEN"}}, rule]},
        None,
    ]
    devices = [{"id": 0, "name": "B", "token": "t" * 32, "connectTime": "soon"}, {"id": 0, "name": "again"}]
    dash = {"id": 1, "name": "P", "theme": "Pink", "widgets": widgets, "devices": devices, "later": True}
    profile, account = taken(user(dashBoards=[dash, {"id": 1, "name": "twice"}, 7]) | {"shoeSize": 44}, tmp_path)
    found = profile_json(account, None)["dashBoards"][0]
    assert [widget["type"] for widget in found["widgets"]] == ["GAUGE", "BUTTON", "EVENTOR"]
    assert (found["widgets"][0]["min"], found["widgets"][0]["max"], found["widgets"][0]["value"]) == (0.0, 50.0, "9")
    assert found["widgets"][1]["value"] == "8"
    assert [rule.get("condition", {}).get("type") for rule in found["widgets"][2]["rules"]] == [None, "GT"]
    assert found["devices"][0]["token"] == "t" * 32
    assert findings(profile, "widget type") == [("HOLOGRAM", "not known: read as BUTTON")]
    assert dict(findings(profile, "field")) == {
        "account": "unknown key shoeSize",
        "project 1.widgets[0].min": "a value that does not fit",
        "project 1.widgets[2].rules[0].condition": "a value that does not fit",
        "project 1.theme": "a value that does not fit",
        "project 1.devices[0].connectTime": "a value that does not fit",
        "project": "unknown key later",
        "project 1, device 0": "a second device of this id",
        "project 1": "a second project of this id",
        "project 2": "is no object",
    }


def test_stored_values_and_the_place_where_older_servers_had_them(tmp_path: Path):
    storage = {
        "1-0-v5": "a\0b",
        "1-0-v5-label": "Pump",
        "1-0-v5-glow": "unknown properties are labels",
        "1-0-v6": {"type": "TERMINAL", "values": ["one", "two"]},
        "1-100000-d7": "tag",
        "1-0-v1": "a widget's own value counts",
        "1-0-v8": 5,
        "9-0-v1": "gone",
        "1-0-v300": "no such pin",
        "nonsense": "x",
    }
    widget = {"type": "BUTTON", "id": 1, "pin": 1, "pinType": "VIRTUAL", "value": "1"}
    dash = {"id": 1, "name": "P", "widgets": [widget], "pinsStorage": {"0-v40": "old", "0-v40-color": "#fff"}}
    profile, account = taken(user(dashBoards=[dash], pinsStorage=storage), tmp_path)
    assert profile_json(stored(account, profile), None)["pinsStorage"] == {
        "1-0-v5": "a\0b",
        "1-0-v5-label": "unknown properties are labels",
        "1-0-v6": {"type": "TERMINAL", "values": ["one", "two"]},
        "1-100000-d7": "tag",
        "1-0-v40": "old",
        "1-0-v40-color": "#fff",
    }
    assert profile_json(account, None)["dashBoards"][0]["widgets"][0]["value"] == "1"
    assert {reason for _, reason in findings(profile, "value")} == {
        "neither a text nor a list",
        "values of project 9, which is gone",
        "values of pins that cannot be",
        "a key that names no pin",
    }


def test_a_token_that_somebody_else_has_is_given_to_nobody_twice(tmp_path: Path):
    devices = [
        {"id": 0, "token": "other-device-has-it"},
        {"id": 1, "token": "mine"},
        {"id": 2, "token": "mine"},
        {"id": 3, "token": "with/slash"},
        {"id": 4},
    ]
    dash = {"id": 1, "name": "P", "devices": devices, "sharedToken": "other-project-has-it", "isShared": True}
    others = {"other-device-has-it", "other-project-has-it", "app-of-another"}
    app = {"id": "app-of-another", "name": "A", "theme": "Blynk", "provisionType": "STATIC", "projectIds": [1]}
    profile, account = taken(
        user(dashBoards=[dash], apps=[app, app | {"id": "blynkabcdefgh"}]), tmp_path, others=others
    )
    tokens = [device.token for device in account.dashboards[1].devices.values()]
    assert (tokens[1], tokens[4]) == ("mine", "")
    assert all(len(tokens[n]) == 32 for n in (0, 2, 3))
    assert not others & set(account.dirty.tokens)
    assert account.dirty.deleted_tokens == []
    assert "sharedToken" not in account.dashboards[1].settings
    assert [app["id"] for app in profile_json(account, None)["apps"]] == ["blynkabcdefgh"]
    assert ("project 1, device 0", "has got a new token: its board needs it") in findings(profile, "token")
    told = json.dumps([finding.reason for finding in profile.notes.findings])
    assert "other-device" not in told  # tokens are secrets


def test_names_and_defaults_of_the_account(tmp_path: Path):
    old = tmp_path / "u_Old@Example.org.user"
    old.write_text(json.dumps({"name": "Old@Example.org", "pass": "hash", "profile": {}}))
    profile = read_profile(Folder(tmp_path).profiles[0], 77)
    assert (profile.row.email, profile.row.app_name, profile.row.energy) == ("old@example.org", "Blynk", 77)
    assert not profile.row.is_super_admin
    old.write_text(json.dumps({"email": "x@example.org", "appName": "blynkqwe", "isSuperAdmin": True, "profile": {}}))
    profile = read_profile(Folder(tmp_path).profiles[0], 77)
    assert (profile.name, profile.row.is_super_admin, profile.app_hash) == ("x@example.org (blynkqwe)", True, "")
    assert findings(profile, "profile") == [(old.name, "has no password: set one with `vpin user passwd`")]
    old.write_text(json.dumps({"email": "x@example.org", "isFacebookUser": True, "profile": {}}))
    (told,) = findings(read_profile(Folder(tmp_path).profiles[0], 77), "profile")
    assert told[1].startswith("came in by Facebook")


def test_a_cloned_project_has_no_secrets_and_no_values():
    row = read_clone("c" * 32, json.dumps(generated.profile(1)["profile"]["dashBoards"][0]).encode())
    assert (row.token, row.kind) == ("c" * 32, "clone")
    found = json.loads(row.body)
    assert len(found["widgets"]) == len(generated.profile(1)["profile"]["dashBoards"][0]["widgets"])
    assert b"token" not in row.body.lower()
    assert "value" not in found["widgets"][0]
    with pytest.raises(Refused):
        read_clone("c" * 32, b"[]")


def test_equal_findings_are_counted(tmp_path: Path):
    widgets = [{"type": "NEW", "id": n} for n in range(3)]
    profile, _ = taken(user(dashBoards=[{"id": 1, "widgets": widgets}]), tmp_path)
    assert profile.notes.findings == [
        Finding("anna@example.org", "widget type", "NEW", "not known: read as BUTTON", times=3)
    ]


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


def places_in(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key or index) in it."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    return [(value, key) for key in keys] + [place for key in keys for place in places_in(value[key])]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(min_value=0), junk), min_size=1, max_size=4))
def test_whatever_stands_in_a_profile_it_is_taken_or_told(tmp_path: Path, changes: list[tuple[int, Any]]):
    """Anything anywhere: no error, rows that a database takes, and the rest of the profile is there."""
    old = deepcopy(generated.profile(3))  # defaults in it are those of vpin
    for number, value in changes:
        places = places_in(old)
        container, key = places[number % len(places)]
        container[key] = value
    try:
        profile, account = taken(old, tmp_path)
    except UnreadableError:
        assert not isinstance(old.get("email"), str) or not old["email"].strip()
        return
    loaded = stored(account, profile)
    profile_json(loaded, None)
    for row in (*rows_of(Item(profile, build(profile, lambda _: False), Result.TAKEN, Mark("", 0))).values,):
        assert 0 <= row.pin <= 255
        assert -(1 << 31) <= row.device_id < 1 << 31
