"""Sharing: tokens, the switch, what guests may do and hear (spec 02, 5 and 10)."""

from __future__ import annotations

import json

import pytest
from vpin_protocol import Command
from vpin_state.model import Dashboard

OK, ILLEGAL, NOT_ALLOWED, ENERGY = 200, 2, 6, 21


def token(world) -> str:
    return world.app_status(Command.GET_SHARE_TOKEN, 1).decode()


@pytest.fixture
def guest(world):
    """A guest of dashboard 1, which is shared."""
    token(world)
    world.app_status(Command.SHARING, 1, "on")
    return world.app_session(shared=world.dash)


def test_the_first_token_costs_energy_and_the_next_answer_is_the_same(world):
    first = token(world)
    assert len(first) == 32
    assert token(world) == first
    assert world.account.row.energy == 99_000
    world.store()
    assert world.tokens[first][1:4] == ("share", 1, 1)


def test_without_energy_there_is_no_token(world):
    world.account.change(energy=999)
    assert world.app_status(Command.GET_SHARE_TOKEN, 1) == ENERGY
    assert "sharedToken" not in world.dash.settings
    assert world.account.row.energy == 999


@pytest.mark.parametrize("command", [Command.GET_SHARE_TOKEN, Command.REFRESH_SHARE_TOKEN])
def test_a_project_that_is_none(world, command):
    assert world.app_status(command, "x") == NOT_ALLOWED
    assert world.app_status(command, 9) == ILLEGAL


def test_a_new_token_is_free_voids_the_old_one_and_throws_guests_out(world, guest):
    old, energy = world.dash.settings["sharedToken"], world.account.row.energy
    world.store()
    world.send(world.app, Command.REFRESH_SHARE_TOKEN, 1)
    assert world.sent_to(guest) == [(0, 5, NOT_ALLOWED)]
    assert guest.closing
    ((_, _, fresh),) = world.sent_to(world.app)
    world.store()
    assert old not in world.tokens
    assert world.tokens[fresh.decode()].kind == "share"
    assert world.account.row.energy == energy
    assert not world.app.closing


def test_a_token_can_be_refreshed_before_there_is_one(world):
    fresh = world.app_status(Command.REFRESH_SHARE_TOKEN, 1)
    assert fresh.decode() == world.dash.settings["sharedToken"]
    assert world.account.row.energy == 100_000


def test_the_switch_is_told_to_sessions_and_guests_of_this_dashboard(world, guest):
    other = world.app_session()
    second = world.account.dashboards[2] = Dashboard(world.account, 2, {"isShared": True})
    elsewhere = world.app_session(shared=second)
    world.send(world.app, Command.SHARING, 1, "off")
    assert world.sent_to(world.app) == [(0, 5, OK)]
    assert world.sent_to(guest) == world.sent_to(other) == [(Command.SHARING, 5, b"1\0off")]
    assert world.sent_to(elsewhere) == []
    assert world.dash.settings["isShared"] is False
    assert world.app_status(Command.SHARING, 1) == ILLEGAL
    assert world.app_status(Command.SHARING, 1, "whatever") == OK
    assert world.dash.settings["isShared"] is False


def test_a_guest_sees_one_project_without_secrets(world, guest):
    profile = world.profile(session=guest)
    assert [d["id"] for d in profile["dashBoards"]] == [1]
    assert "pinsStorage" not in profile
    text = json.dumps([profile, world.profile(1, session=guest)])
    assert world.device.token not in text
    assert world.dash.settings["sharedToken"] not in text
    devices = world.ask(guest, Command.GET_DEVICES, 1)
    assert b"board 0" in devices
    assert world.device.token.encode() not in devices


FORBIDDEN = sorted(
    set(range(1, 82)) - {3, 5, 6, 10, 11, 12, 14, 15, 16, 17, 18, 20, 24, 25, 27, 45, 60, 66, 76}
    - {1, 2, 4, 29, 32, 40, 41, 52, 53, 54, 64, 71, 72, 73, 75, 81}
)  # fmt: skip


@pytest.mark.parametrize("command", [3, *FORBIDDEN])
def test_everything_else_is_not_for_guests(world, guest, command):
    before = world.profile()
    assert world.ask(guest, command, 1, "{}") == NOT_ALLOWED
    assert world.profile() == before


def test_another_project_is_out_of_reach(world, guest):
    world.account.dashboards[2] = Dashboard(world.account, 2, {"isShared": True})
    for command, *parts in [
        (20, "2-0", "vw", 1, "x"),
        (24, 2),
        (25, 2),
        (27, 2, "u", "t"),
        (45, 2),
        (60, 2, 1, "LIVE"),
    ]:
        assert world.ask(guest, command, *parts) == NOT_ALLOWED, command
    assert world.ask(guest, 76, "2-0") == NOT_ALLOWED


def test_after_off_a_guest_may_only_ping_and_leave_and_hears_nothing(world, guest):
    world.app_status(Command.SHARING, 1, "off")
    for command, *parts in [
        (20, "1-0", "vw", 1, "x"),
        (24,),
        (24, 1),
        (25, 1),
        (27, 1, "u", "t"),
        (45, 1),
        (76, "1-0"),
    ]:
        assert world.ask(guest, command, *parts) == NOT_ALLOWED, command
    world.send(world.board, 20, "vw", 1, "5")
    world.send(world.app, 20, "1-0", "vw", 1, "6")
    assert world.sent_to(guest) == []
    world.clear()
    assert world.ask(guest, 66) == OK


def test_who_is_guest_of_a_deleted_project_gets_2(world, guest):
    world.app_status(Command.DELETE_DASH, 1)
    for command, *parts in [(24,), (24, 1), (25, 1), (45, 1), (20, "1-0", "vw", 1, "x")]:
        assert world.ask(guest, command, *parts) == ILLEGAL, command


def test_a_guest_needs_leave_to_delete_data(world, guest):
    assert world.ask(guest, 76, "1-0") == ILLEGAL
    report = {"type": "REPORT", "id": 5, "width": 1, "height": 1}
    world.app_status(Command.CREATE_WIDGET, 1, report)
    assert world.ask(guest, 76, "1-0") == NOT_ALLOWED
    world.app_status(Command.UPDATE_WIDGET, 1, report | {"allowEndUserToDeleteDataOn": True})
    assert world.ask(guest, 76, "1-0") == OK
