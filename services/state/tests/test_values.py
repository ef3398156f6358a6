"""What a write does to pins and widgets, and what boards and apps are told (spec 03, 8–12; 07, 3–9)."""

from __future__ import annotations

import json

import pytest
from state_world import NOW
from vpin_protocol import BodyError
from vpin_state import datastreams, lookup, syncs
from vpin_state.errors import Refused
from vpin_state.json_rules import read_widget_json
from vpin_state.pins import ANALOG, DIGITAL, KINDS, VIRTUAL
from vpin_state.profile import pins_storage, widget_json
from vpin_state.routes import route
from vpin_state.settling import place_widget
from vpin_state.values import (
    app_sync,
    clear_for_widget,
    device_sync,
    device_sync_pin,
    http_values,
    message_after_write,
    pin_modes,
    store,
)


def add(world, type_, pin=5, **keys):
    """A widget on a virtual pin of device 0."""
    full = {"id": len(world.dash.widgets) + 1, "type": type_, "width": 1, "height": 1, "pinType": "VIRTUAL", "pin": pin}
    return place_widget(world.dash, read_widget_json(json.dumps({**full, **keys}).encode(), 0), 7)


def write(world, pin, *parts, kind="v", target=0):
    store(world.fx, world.dash.bank(target), KINDS[ord(kind)], pin, "\0".join(map(str, parts)).encode())


def shown(widget):
    return widget_json(widget, NOW)


def apps_hear(world, target=None):
    return [body.decode().replace("\0", " ") for _, body in app_sync(world.dash, NOW, target)]


def board_hears(world, device=None):
    return [body.decode().replace("\0", " ") for body in device_sync(device or world.device, NOW)]


def stream(pin, **keys):
    return {"pin": pin, "pinType": "VIRTUAL", **keys}


@pytest.mark.parametrize(
    ("keys", "kind", "taken"),
    [
        ({"pinType": "DIGITAL"}, "d", True),
        ({"pinType": "ANALOG"}, "d", True),
        ({"pinType": "DIGITAL"}, "a", False),
        ({"pinType": "DIGITAL", "pwmMode": True}, "a", True),
        ({"pinType": "VIRTUAL"}, "d", False),
        ({"pinType": "VIRTUAL", "deviceId": 1}, "v", False),
        ({"pin": -1}, "v", False),
    ],
)
def test_what_a_write_concerns(world, keys, kind, taken):
    widget = add(world, "SLIDER", **keys)
    write(world, 5, "9", kind=kind)
    assert (shown(widget).get("value") == "9") is taken
    assert pins_storage(world.account, NOW) == ({} if taken else {f"1-0-{kind}5": "9"})


def test_a_write_to_a_pwm_pin_and_an_analog_pin_has_both(world):
    pwm, analog = add(world, "SLIDER", pinType="DIGITAL", pwmMode=True), add(world, "LED", pinType="ANALOG")
    found = route(world.device.bank, ANALOG, 5)
    assert len(found.pins) == 2
    assert found.widgets == [pwm, analog]
    assert not found.fast
    write(world, 5, "77", kind="a")
    assert shown(pwm)["value"] == shown(analog)["value"] == "77"
    assert board_hears(world) == ["aw 5 77", "aw 5 77"]


@pytest.mark.parametrize(
    ("types", "fast"),
    [
        ([], True),
        (["SLIDER"], True),
        (["SLIDER", "LED"], True),
        (["VIDEO"], True),
        (["TERMINAL"], False),
        (["SLIDER", "PLAYER"], False),
        (["TABLE"], False),
        (["MAP"], False),
        (["TIME_INPUT"], False),
        (["WEBHOOK"], False),
    ],
)
def test_only_plain_pins_are_fast(world, types, fast):
    for type_ in types:
        add(world, type_)
    assert route(world.device.bank, VIRTUAL, 5).fast is fast


@pytest.mark.parametrize(
    "watcher",
    [
        {"type": "ENHANCED_GRAPH", "dataStreams": [{"pin": stream(5)}]},
        {
            "type": "REPORT",
            "reportSources": [{"type": "DEVICE", "reportDataStreams": [{"pin": 5, "pinType": "VIRTUAL"}]}],
        },
    ],
)
def test_recorded_pins_are_fast_and_reshape_forgets_routes(world, watcher):
    assert route(world.device.bank, VIRTUAL, 5).recorder is None
    add(world, **{"type_": watcher.pop("type"), **watcher})
    assert route(world.device.bank, VIRTUAL, 5).fast
    assert route(world.device.bank, VIRTUAL, 5).recorder is not None
    assert route(world.device.bank, VIRTUAL, 6).recorder is None


def test_a_pwm_pin_is_not_fast_for_analog_writes(world):
    """The fast way looks only at the pin that is named."""
    add(world, "SLIDER", pinType="DIGITAL", pwmMode=True)
    assert not route(world.device.bank, ANALOG, 5).fast
    assert route(world.device.bank, DIGITAL, 5).fast


def test_a_terminal_keeps_25_lines_and_is_cleared(world):
    widget = add(world, "TERMINAL", value="from the app")
    for i in range(30):
        write(world, 5, f"line{i}")
    assert apps_hear(world) == ["1-0 vm 5 " + " ".join(f"line{i}" for i in range(5, 30))]
    assert board_hears(world) == ["vw 5 line29"]
    assert len(http_values(world.device, VIRTUAL, 5, NOW) or ()) == 25
    assert shown(widget)["value"] == "from the app"
    write(world, 5, "clr")
    assert apps_hear(world) == board_hears(world) == []
    assert http_values(world.device, VIRTUAL, 5, NOW) == []
    assert pins_storage(world.account, NOW) == {}


def test_a_map_keeps_points(world):
    widget = add(world, "MAP")
    write(world, 5, 1, 2, 3, "a")
    write(world, 5, 2, 2, 3, "b")
    assert apps_hear(world) == ["1-0 vw 5 1 2 3 a", "1-0 vw 5 2 2 3 b"]
    assert board_hears(world) == []
    assert shown(widget)["value"] == "2\x002\x003\x00b"
    write(world, 5, "clr")
    assert "value" not in shown(widget)
    assert apps_hear(world) == []
    assert message_after_write(world.device, VIRTUAL, 5, route(world.device.bank, VIRTUAL, 5)) == b"vw\x005\0clr"


def test_an_lcd_in_both_modes(world):
    advanced = add(world, "LCD", advancedMode=True, pins=[stream(5)])
    for i in range(8):
        write(world, 5, "p", i)
    assert apps_hear(world) == [f"1-0 vw 5 p {i}" for i in range(2, 8)]
    assert shown(advanced)["pins"][0]["value"] == "p\x007"
    add(world, "LCD", pins=[stream(6), stream(7)])
    write(world, 7, "two")
    assert apps_hear(world)[-1] == "1-0 vw 7 two"
    assert http_values(world.device, VIRTUAL, 6, NOW) == [b"", b"two"]
    assert board_hears(world) == []


def test_table_rows(world):
    widget = add(world, "TABLE")
    for parts in (("add", 1, "a", "x"), ("add", 2, "b", "y"), ("deselect", 2), ("pick", 3), ("sing",)):
        write(world, 5, *parts)
    assert [(r["id"], r["isSelected"]) for r in shown(widget)["rows"]] == [(1, True), (2, False)]
    assert shown(widget)["currentRowIndex"] == 3
    assert apps_hear(world) == ["1-0 vm 5 add 1 a x true add 2 b y false"]
    before = shown(widget)
    for bad in (("add", "one", "a", "x"), ("pick", "x"), ("select", "")):
        with pytest.raises((Refused, BodyError)):
            write(world, 5, *bad)
        assert shown(widget) == before
    for i in range(120):
        write(world, 5, "add", i, "n", "v")
    assert len(shown(widget)["rows"]) == 100
    write(world, 5, "clr")
    assert "rows" not in shown(widget)
    write(world, 5, "add", 1, "", "")
    assert shown(widget)["rows"] == [{"id": 1, "isSelected": True}], "empty texts are left out"
    assert apps_hear(world) == ["1-0 vm 5 add 1   true"]


def test_player_and_time_input(world):
    player, times = add(world, "PLAYER"), add(world, "TIME_INPUT", pin=6)
    for word, playing in (("play", True), ("next", True), ("stop", False)):
        write(world, 5, word)
        assert (shown(player)["value"], shown(player)["isOnPlay"]) == (word, playing)
    write(world, 6, "ss", "", "Europe/Kiev", "1,7", "extra")
    got = shown(times)
    assert (got["startAt"], got["stopAt"], got["tzName"], got["days"]) == (-2, -1, "Europe/Kiev", [1, 7])
    for bad in (("x", 1, "UTC"), (1, 2, "UTC", "mon")):
        with pytest.raises(BodyError):
            write(world, 6, *bad)
    assert shown(times) == got, "nothing changes with a bad value"
    write(world, 6, 60, 61, "UTC")
    assert "days" not in shown(times)


def test_merged_and_split_widgets(world):
    merged = add(world, "RGB", pins=[stream(5), stream(5), None])
    split = add(world, "TWO_AXIS_JOYSTICK", split=True, pins=[stream(6), stream(7)])
    write(world, 5, 1, 2, 3)
    write(world, 6, 10)
    assert shown(merged)["pins"][1]["value"] == "1\x002\x003"
    assert "value" not in shown(split)["pins"][1]
    assert board_hears(world) == ["vw 5 1 2 3", "vw 6 10"]
    assert apps_hear(world) == ["1-0 vw 5 1 2 3", "1-0 vw 6 10"]
    write(world, 7, 20)
    assert device_sync_pin(world.device, VIRTUAL, 7, NOW) == [b"vw\x006\x0010", b"vw\x007\x0020"]
    assert http_values(world.device, VIRTUAL, 7, NOW) == [b"10", b"20"]
    add(world, "RGB", splitMode=True, pins=[stream(8), {"pin": 9}, None, stream(10)])
    write(world, 8, 1)
    assert http_values(world.device, VIRTUAL, 10, NOW) == [b"1", b"", b""], "one text per pin, also of one that is none"


def test_widgets_behind_a_selector_and_in_templates_have_lists(world):
    world.add_device(1)
    add(world, "DEVICE_SELECTOR", id=200_000, deviceIds=[0, 1])
    add(world, "TERMINAL", deviceId=200_000)
    write(world, 5, "clr")
    write(world, 5, "b", "c")
    assert pins_storage(world.account, NOW) == {"1-0-v5": {"type": "TERMINAL", "values": ["clr", "b\x00c"]}}
    assert apps_hear(world) == ["1-0 vm 5 clr b c", "1-0 vw 5 b c"]
    assert board_hears(world) == ["vw 5 clr", "vw 5 b c"]
    inner = {"type": "TABLE", "id": 60, "pin": 6, "pinType": "VIRTUAL", "deviceId": -1}
    add(world, "DEVICE_TILES", templates=[{"id": 1, "deviceIds": [1], "widgets": [inner]}])
    write(world, 6, "x", target=1)
    write(world, 6, "x", target=0)
    storage = pins_storage(world.account, NOW)
    assert (storage["1-1-v6"], storage["1-0-v6"]) == ({"type": "TABLE", "values": ["x"]}, "x")


@pytest.mark.parametrize(
    ("type_", "told"),
    [("RGB", ["1-200000 vw 3 1"]), ("TWO_AXIS_JOYSTICK", ["1-200000 vw 3 1"]), ("LCD", []), ("LED", [])],
)
def test_a_value_that_came_with_a_widget_behind_a_selector_is_told_of_the_selector(world, type_, told):
    add(world, "DEVICE_SELECTOR", id=200_000, deviceIds=[0])
    own = {"value": "1"} if type_ == "LED" else {"pins": [stream(3, value="1")]}
    widget = add(world, type_, 3, deviceId=200_000, **own)
    assert apps_hear(world) == told
    assert (shown(widget)["pins"][0] if "pins" in own else shown(widget))["value"] == "1"
    assert board_hears(world) == []
    assert pins_storage(world.account, NOW) == {}


def test_tiles_show_the_values_of_their_devices(world):
    second = world.add_device(1)
    tiles = [{"deviceId": d, "templateId": 1, "pin": stream(5)} for d in (0, 1)]
    widget = add(world, "DEVICE_TILES", templates=[{"id": 1, "pin": stream(5)}], tiles=tiles)
    write(world, 5, "21", target=1)
    assert [t["pin"].get("value") for t in shown(widget)["tiles"]] == [None, "21"]
    assert apps_hear(world) == ["1-1 vw 5 21"]
    assert board_hears(world, second) == ["vw 5 21"]
    assert board_hears(world) == []
    assert pins_storage(world.account, NOW) == {}


def test_order_of_syncs(world):
    for pin in (9, 3):
        add(world, "SLIDER", pin=pin)
        write(world, pin, pin)
    write(world, 40, "s", "t")
    write(world, 50, 1, kind="d")
    world.device.bank.set_property(VIRTUAL, 40, "label", b"Forty")
    assert board_hears(world) == ["vw 9 9", "vw 3 3", "dw 50 1", "vw 40 s t"]
    assert apps_hear(world) == ["1-0 dw 50 1", "1-0 vw 40 s t", "1-0 40 label Forty", "1-0 vw 9 9", "1-0 vw 3 3"]
    assert apps_hear(world, 1) == []


@pytest.mark.parametrize("type_", ["VIDEO", "LIGHT", "GPS_TRIGGER", "MAP", "TABLE"])
def test_types_that_a_board_is_not_told(world, type_):
    add(world, type_)
    write(world, 5, "clr" if type_ == "TABLE" else "1")
    assert board_hears(world) == []
    assert device_sync_pin(world.device, VIRTUAL, 5, NOW) == []


def test_a_webhook_keeps_nothing(world):
    widget = add(world, "WEBHOOK", value="kept as sent")
    write(world, 5, "1")
    assert shown(widget)["value"] == "kept as sent"
    assert pins_storage(world.account, NOW) == {"1-0-v5": "1"}
    add(world, "DEVICE_SELECTOR", id=200_000, deviceIds=[0])
    clear_for_widget(world.dash, add(world, "WEBHOOK", deviceId=200_000).json)
    assert pins_storage(world.account, NOW) == {"1-0-v5": "1"}, "nor does it take anything from the devices behind it"


def test_pin_modes(world):
    assert pin_modes(world.device) is None
    add(world, "BUTTON", pinType="DIGITAL")
    add(world, "LED", pin=7, pinType="DIGITAL")
    add(world, "TERMINAL", pin=8, pinType="DIGITAL")
    add(world, "SLIDER", pin=9, pinType="ANALOG", deviceId=1)
    add(world, "EVENTOR", rules=[{"actions": [{"type": "SETPIN", "pin": {"pin": 3, "pinType": "ANALOG"}}]}])
    assert pin_modes(world.device) == b"pm\x005\0out\x007\0in\x003\0out"


def test_template_generation(world):
    streams = [
        {"id": 1, "pin": 1, "valueType": "INT", "syncWithLatest": True},
        {"id": 2, "pin": 2, "defaultValue": "on", "syncWithLatest": True},
        {"id": 3, "pin": 3},
        {"id": 4, "pin": 4, "syncWithLatest": True},
    ]
    world.dash.settings["dataStreams"] = datastreams.read_streams(streams)
    add(world, "SLIDER", pin=9)
    for pin, value in ((3, "7"), (1, "80"), (9, "unlisted")):
        write(world, pin, value)
    assert board_hears(world) == ["vw 1 80", "vw 2 on"]
    assert syncs.device_sync_on_connect(world.device, NOW) == device_sync(world.device, NOW)
    assert device_sync_pin(world.device, VIRTUAL, 3, NOW) == [b"vw\x003\x007"]
    assert device_sync_pin(world.device, VIRTUAL, 9, NOW) == []
    assert apps_hear(world) == ["1-0 vw 1 80", "1-0 vw 2 on", "1-0 vw 3 7"]
    write(world, 1, "text")
    assert board_hears(world) == ["vw 2 on"], "what no longer fits is not synced"
    assert not route(world.device.bank, VIRTUAL, 1).fast
    add(world, "LED", pin=3, value="0")
    assert http_values(world.device, VIRTUAL, 3, NOW) == [b"7"], "widgets are views: they clear and set nothing"


def test_tags_have_values_of_their_own(world):
    world.dash.settings["tags"] = [{"id": 100_000, "name": "t", "deviceIds": [0]}]
    assert lookup.devices_of(world.dash, 100_000) == [world.device]
    widget = add(world, "BUTTON", deviceId=100_000)
    write(world, 5, 1, target=100_000)
    assert shown(widget)["value"] == "1"
    assert apps_hear(world) == apps_hear(world, 100_000) == ["1-100000 vw 5 1"]
