"""Reading the JSON of apps (spec 03, 2), and widgets.json for all types."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vpin_state import json_rules, schema
from vpin_state import kinds_table as table
from vpin_state.errors import Refused
from vpin_state.kinds import KINDS, PROPERTIES, PROPERTY_OF_RULE
from vpin_state.schema import shortest, zone

WIDGETS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "widgets.json").read_text())
LIMIT = 20 * 1024


def read(text: Any) -> dict[str, Any]:
    return json_rules.read_widget_json(text if isinstance(text, bytes) else json.dumps(text).encode(), LIMIT)


def status_of(call: Any, *args: Any) -> int:
    with pytest.raises(Refused) as refused:
        call(*args)
    return refused.value.status


def assert_holds(expected: Any, got: Any) -> None:
    if isinstance(expected, dict):
        for key, value in expected.items():
            assert_holds(value, got[key])
    elif isinstance(expected, list):
        assert len(expected) == len(got)
        for one, other in zip(expected, got, strict=True):
            assert_holds(one, other)
    else:
        assert got == expected
        assert isinstance(got, bool) == isinstance(expected, bool)


@pytest.mark.parametrize("entry", WIDGETS, ids=lambda w: w["type"])
def test_every_type_has_the_data_of_the_table(entry):
    kind = KINDS[entry["type"]]
    assert (kind.price, kind.pins, kind.pin_mode or None) == (entry["price"], entry["pins"], entry["pinMode"])
    assert (kind.app_sync, kind.device_sync) == (entry["appSync"], entry["hardwareSync"])
    assert kind.reads is entry.get("reads", False)
    bare = {"id": 1, "type": entry["type"], "width": 1, "height": 1}
    assert read(bare) == {**bare, **entry["defaults"]}


@pytest.mark.parametrize("entry", WIDGETS, ids=lambda w: w["type"])
def test_every_type_comes_back_as_it_was_sent(entry):
    sent = {"id": 2, "type": entry["type"], **entry["example"]}
    got = read(sent)
    assert_holds(sent, got)
    assert set(got) - set(sent) <= set(entry["defaults"])
    assert json.loads(json_rules.encode(got)) == got
    assert read(got) == got, "reading is idempotent"
    assert next(iter(got)) == "type"


def test_there_are_55_types_21_properties_and_69_boards():
    assert len(KINDS) == len(WIDGETS) == 55
    assert len(PROPERTIES) == len(PROPERTY_OF_RULE) == 21
    assert len(set(table.BOARDS.split(";"))) == 69


@pytest.mark.parametrize(
    ("name", "members"),
    [
        ("PinType", "DIGITAL VIRTUAL ANALOG"),
        ("Theme", "blynk Blynk BlynkLight SparkFun AppTheme CustomTheme AppExport"),
        ("ProvisionType", "STATIC DYNAMIC"),
        ("ConnectionType", "ETHERNET WI_FI USB BLUETOOTH BLE GSM"),
        ("FontSize", "LARGE MEDIUM SMALL AUTO"),
        ("TextAlignment", "LEFT RIGHT MIDDLE"),
        ("Edge", "ROUNDED SHARP PILL TEXT"),
        ("ButtonStyle", "SOLID OUTLINE"),
        ("GraphType", "LINE FILLED_LINE BAR BINARY"),
        ("Stacking", "NO_STACKING STACK STACK_100"),
        ("YAxisScale", "UNSET AUTO MINMAX HEIGHT DELTA"),
        ("Aggregation", "MIN MAX AVG SUM MED"),
        ("Granularity", "MINUTE HOURLY DAILY"),
        ("ImageSource", "URL ALBUM PREDEFINED"),
        ("ImageScaling", "NONE FILL FIT"),
        ("Interaction", "BUTTON PAGE STEP"),
        ("Method", "POST GET PUT DELETE"),
        ("Priority", "normal high"),
        ("SetPinType", "ON OFF CUSTOM"),
        ("ReportOutput", "EXCEL_TAB_PER_DEVICE CSV_FILE_PER_DEVICE_PER_PIN CSV_FILE_PER_DEVICE MERGED_CSV"),
        ("ReportFormat", "ISO_SIMPLE ISO_INSTANT ISO_INSTANT_Z TS"),
        ("ReportResult", "NO_DATA ERROR OK EXPIRED"),
        ("ReportDuration", "CUSTOM INFINITE"),
    ],
)
def test_members_have_names_and_numbers(name, members):
    """Clients may send the number in place of the name (spec 03, 15.1)."""
    known = members.split()
    read_member = schema.reader(name)
    assert [read_member(number) for number in range(len(known))] == [read_member(member) for member in known] == known
    assert status_of(read_member, len(known)) == status_of(read_member, -1) == 11


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({"x": "3", "y": " +4 ", "width": 1.75, "height": 1e3}, {"x": 3, "y": 4, "width": 1, "height": 1000}),
        ({"x": "", "min": "1.5", "max": ""}, {"x": 0, "min": 1.5, "max": 0.0}),
        ({"value": 12, "label": True}, {"value": "12", "label": "true"}),
        ({"value": 1.5}, {"value": "1.5"}),
        ({"pushMode": "TRUE"}, {"pushMode": True}),
        ({"pushMode": 7, "pwmMode": "false"}, {"pushMode": True, "pwmMode": False}),
        ({"pinType": 1}, {"pinType": "VIRTUAL"}),
        ({"pin": None, "pwmMode": None}, {"pin": 0, "pwmMode": False}),
        ({"min": 0.1, "max": 16777217}, {"min": 0.1, "max": 16777216.0}),
        ({"value": "a\x00b"}, {"value": "a\x00b"}),
    ],
)
def test_types_are_read_leniently(sent, kept):
    assert_holds(kept, read({"type": "BUTTON", **sent}))


@pytest.mark.parametrize(
    "sent",
    [
        '{"x":2147483648}',
        '{"id":9223372036854775808}',
        '{"pin":40000}',
        '{"x":true}',
        '{"x":"0x10"}',
        '{"x":"3.0"}',
        '{"value":{}}',
        '{"value":[1]}',
        '{"pushMode":"yes"}',
        '{"pushMode":1.5}',
        '{"pinType":""}',
        '{"pinType":3}',
        '{"pinType":"1"}',
        '{"min":"NaN"}',
        '{"min":"1e400"}',
        '{"min":1e39}',
        '{"min":1%s}' % ("0" * 400),
        '{"type":"EVENTOR","rules":[{"condition":{"type":"GT","value":1%s}}]}' % ("0" * 400),
        '{"x":NaN}',
        '{"type":"MENU","labels":{}}',
        '{"type":"EVENTOR","rules":[{"condition":{}}]}',
        "null",
        "[]",
        '"x"',
        "{",
        "{'id':1}",
        '{"id":1,}',
        "/**/{}",
        "\ufeff{}",
        " ",
    ],
)
def test_what_does_not_fit_is_refused_with_11(sent):
    assert status_of(read, sent.encode()) == 11


def test_empty_text_is_2_and_too_much_is_6():
    assert status_of(read, b"") == 2
    assert status_of(read, b'{"label":"%s"}' % (b"x" * LIMIT)) == 6
    assert len(read(b'{"label":"' + "ї".encode() * (LIMIT - 12) + b'"}')["label"]) == LIMIT - 12, (
        "characters are counted"
    )


def test_syntax_that_is_forgiven():
    assert read(b'{"x":1,"x":2} trailing')["x"] == 2
    assert read(b' \n{"x":3}{"x":4}')["x"] == 3
    assert read(b'{"label":"tail"}\x00')["label"] == "tail"


def test_old_names_boards_zones():
    assert read({"type": "REPORT", "reportSources": [{"type": "DEVICE", "dataStreams": [{"pin": 1}]}]})[
        "reportSources"
    ] == [{"type": "DEVICE", "reportDataStreams": [{"pin": 1, "isSelected": False}]}]
    template = json_rules.read_template(b'{"mode":"NONE","dataStream":{"pin":3},"boardType":"Mine"}', LIMIT)
    assert (template["mode"], template["pin"]["pin"], template["boardType"]) == ("PAGE", 3, "Generic Board")
    zones = ["Europe/Kiev", "+03:00", "Asia/Hanoi", "Nowhere/Land", "../etc/passwd", "", "+19:00"]
    assert [zone(z) for z in zones] == ["Europe/Kiev", "+03:00", "Asia/Ho_Chi_Minh", "UTC", "UTC", "UTC", "UTC"]


def test_nulls_in_lists():
    assert read({"type": "RGB", "pins": [None, {"pin": 3}]})["pins"][0] is None
    assert read({"type": "DEVICE_SELECTOR", "deviceIds": [1, None]})["deviceIds"] == [1, 0]
    assert "rules" not in read({"type": "EVENTOR", "rules": [None]})


def test_dashboards():
    dash, widgets, devices = json_rules.read_dashboard(b'{"widgets":null,"devices":[{"token":"x","name":"a"}]}', 0)
    assert (dash["theme"], dash["color"], dash["isDefaultColor"], dash["parentId"]) == ("Blynk", -1, True, -1)
    assert widgets == []
    assert devices == [{"id": 0, "name": "a", "isUserIcon": False}]
    assert "dataStreams" not in dash
    assert json_rules.read_dashboard(b'{"dataStreams":null}', 0)[0]["dataStreams"] is None
    assert json_rules.read_dashboard(b'{"dataStreams":[]}', 0)[0]["dataStreams"] == []
    assert status_of(json_rules.read_dashboard, b'{"dataStreams":{}}', 0) == 2
    assert status_of(json_rules.read_dashboard, b'{"widgets":{}}', 0) == 11


@pytest.mark.parametrize(
    ("stream", "good"),
    [
        ({"id": 1, "pin": 3}, True),
        ({"id": 1, "pin": 256}, False),
        ({"id": 1, "pin": True}, False),
        ({"pin": 3}, False),
        ({"id": 1, "pin": 3, "valueType": "INT", "min": 0, "max": 5}, True),
        ({"id": 1, "pin": 3, "min": 0}, False),
        ({"id": 1, "pin": 3, "valueType": "INT", "min": 6, "max": 5}, False),
        ({"id": 1, "pin": 3, "valueType": "BYTES"}, False),
        ({"id": 1, "pin": 3, "pinType": []}, False),
        ({"id": 1, "pin": 3, "enumValues": [1, 2], "valueType": "ENUM", "enumFallback": 1}, True),
    ],
)
def test_datastreams_keep_their_rules(stream, good):
    text = json.dumps({"dataStreams": [stream]}).encode()
    if good:
        assert_holds(stream, json_rules.read_dashboard(text, 0)[0]["dataStreams"][0])
    else:
        assert status_of(json_rules.read_dashboard, text, 0) == 2


def test_private_keys_are_for_their_owner():
    push = read({"type": "NOTIFICATION", "androidTokens": {"phone": "secret", "gone": ""}})
    tweet = read({"type": "TWITTER", "token": "secret", "username": "secret bird"})
    tiles = read({"type": "DEVICE_TILES", "templates": [{"widgets": [push, tweet]}, {"name": "bare"}]})
    for widget in (push, tweet, tiles):
        text = json_rules.encode(json_rules.visible(widget, json_rules.View.FULL))
        assert b"secret" in text
        text = json_rules.encode(json_rules.visible(widget, json_rules.View.PUBLIC))
        assert b"secret" not in text
    assert json_rules.visible(tiles, json_rules.View.PUBLIC)["templates"][1] == tiles["templates"][1]


KEYS = sorted(
    {f.name for kind in KINDS.values() for f in kind.fields} | {"type", "mode", "condition", "actions", "widgets"}
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([*sorted(KINDS), 10**400, -(10**400)]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=20,
)
READERS = [
    json_rules.read_widget_json,
    json_rules.read_dashboard,
    json_rules.read_settings,
    json_rules.read_device,
    json_rules.read_tag,
    json_rules.read_template,
    json_rules.read_report,
    json_rules.read_app,
]


@pytest.mark.parametrize("reads", READERS, ids=lambda r: r.__name__)
@settings(max_examples=60, deadline=None)
@given(JSON, st.text(max_size=3))
def test_any_json_is_read_or_refused(reads, value, tail):
    _read_or_refuse(reads, (json.dumps(value) + tail).encode(errors="replace"))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(text):
    _read_or_refuse(json_rules.read_widget_json, text)
    _read_or_refuse(json_rules.read_widget_json, b'{"label":' + text)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(WIDGETS), st.sampled_from(KEYS), JSON)
def test_one_odd_key_in_a_good_widget_is_read_or_refused(entry, key, odd):
    _read_or_refuse(
        json_rules.read_widget_json, json.dumps({"type": entry["type"], **entry["example"], key: odd}).encode()
    )


def test_deep_nesting_is_refused():
    assert status_of(read, b'{"x":' * 4_000) == 11
    deep = b'{"type":"DEVICE_TILES","templates":[{"widgets":[' * 300 + b"]}]}" * 300
    _read_or_refuse(json_rules.read_widget_json, deep)


def _read_or_refuse(reads: Any, text: bytes) -> None:
    status = 2
    try:
        json_rules.encode(reads(text, LIMIT))
    except Refused as refused:
        status = refused.status
    assert status in (2, 6, 11)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_floats_are_the_shortest_of_their_32_bits(value):
    short = shortest(value)
    assert shortest(short) == short
    assert len(repr(short)) <= len(repr(value)) or value == 0
