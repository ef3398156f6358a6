"""Finding what a body names."""

from __future__ import annotations

import pytest
from vpin_protocol import BodyError
from vpin_state import lookup
from vpin_state.errors import Refused


def test_unknown_dashboard_is_2_and_text_is_a_body_error(world):
    assert lookup.dash(world.app, b"1") is world.dash
    assert lookup.dash(world.account, b"1") is world.dash
    with pytest.raises(Refused) as refused:
        lookup.dash(world.app, b"9")
    assert refused.value.status == 2
    with pytest.raises(BodyError):
        lookup.dash(world.app, b"x")


@pytest.mark.parametrize("raw", [b"2", b"1"])
def test_a_shared_session_finds_only_its_dashboard(world, raw):
    guest = world.app_session(shared=world.dash)
    if raw == b"1":
        assert lookup.dash(guest, raw) is world.dash
    else:
        with pytest.raises(Refused) as refused:
            lookup.dash(guest, raw)
        assert refused.value.status == 6


def test_targets(world):
    second = world.add_device(1)
    world.dash.settings["tags"] = [{"id": 100_000, "name": "both", "deviceIds": [0, 1, 1, 7]}]
    world.dash.add_widget({"id": 200_000, "type": "DEVICE_SELECTOR", "value": 1})
    assert lookup.devices_of(world.dash, 0) == [world.device]
    assert lookup.devices_of(world.dash, 100_000) == [world.device, second]
    assert lookup.devices_of(world.dash, 200_000) == [second]
    assert (
        lookup.devices_of(world.dash, 9)
        == lookup.devices_of(world.dash, 100_009)
        == lookup.devices_of(world.dash, 200_009)
        == []
    )
